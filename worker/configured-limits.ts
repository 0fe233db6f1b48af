import { ConfigError } from "../src/config/config-error.js"
import { parseConfig } from "../src/config/parse-config.js"
import { rateLimitOptions } from "../src/config/rate-limit-options.js"
import { clientAddress } from "../src/http/keys/client-address.js"
import type { LimitSetting } from "./limit-setting.js"
import { SettingError } from "./setting-error.js"

/** What of a configuration concerns the deployable Worker. */
export interface ConfiguredLimits {
  readonly limits: readonly LimitSetting[]
  readonly upstream: string | undefined
}

/**
 * The limits of a `sluice.toml` that have `paths`.
 *
 * @param input the text, or a table of the same shape
 * @param variables all of the Worker's; those that a configuration names override what it says
 * @throws {SettingError} where the configuration cannot be, or protects no path
 */
export function readConfiguredLimits(input: unknown, variables: object): ConfiguredLimits {
  const texts = Object.entries(variables).filter((each): each is [string, string] => typeof each[1] === "string")
  try {
    const config = parseConfig(input as string | object, { env: Object.fromEntries(texts) })
    const protecting = [...config.limits.values()].filter(({ paths }) => paths.length > 0)
    if (protecting.length === 0) throw new SettingError("CONFIG.limits", input, "at least one limit with paths")
    const address = clientAddress({ header: "CF-Connecting-IP" })
    const limits = protecting.map(({ name, paths, policy, failMode, timeoutMs }) => {
      const options = rateLimitOptions(config, name, { address })
      return { name, paths, policy, key: options.key!, failMode, timeoutMs, options }
    })
    return { limits, upstream: config.upstream ?? undefined }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new SettingError(`CONFIG: ${error.field}`, error.value, error.allowed)
  }
}
