// What sluice takes of smol-toml, bundled into dist/vendor/toml.js so that whoever installs sluice installs nothing
// else.
export { parse } from "smol-toml"
