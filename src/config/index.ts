/**
 * `sluice.toml`, for the library, the middleware and the Worker alike: `import { fromConfig } from "sluice/config"`.
 *
 * @module sluice/config
 */
export type {
  AccessConfig,
  AnalyticsConfig,
  Config,
  GroupConfig,
  LimitConfig,
  LoggingConfig,
  RequestsConfig,
  TenantConfig,
} from "./config.js"
export { ConfigError } from "./config-error.js"
export { configPolicies, limitNameFor } from "./config-policies.js"
export type { ConfiguredCheck, ConfiguredLimit, GroupKeys } from "./configured-limit.js"
export { decisionLog, type LogHooks, type LogOutput } from "./decision-log.js"
export { ConfiguredLimits, type FromConfigOptions, fromConfig } from "./from-config.js"
export type { KeySetting } from "./key-setting.js"
export { type LimitsByConfig, limitsByConfig, requireGroupNames } from "./limits-by-config.js"
export { type ConfigInput, type ParseConfigOptions, parseConfig } from "./parse-config.js"
export { policyFor, type Whose } from "./policy-for.js"
export { type ConfiguredOptions, type ConfiguredRateLimit, rateLimitOptions } from "./rate-limit-options.js"
export type { Environment } from "./read-field.js"
export { configSchema, type Schema } from "./schema.js"
