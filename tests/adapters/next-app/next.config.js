export default { devIndicators: false, logging: false }
