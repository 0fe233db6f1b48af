import type { Config, RequestsConfig } from "../src/config/config.js"
import { ConfigError } from "../src/config/config-error.js"
import { parseConfig } from "../src/config/parse-config.js"
import { rateLimitOptions } from "../src/config/rate-limit-options.js"
import { ADDRESS, type GroupSetting, type LimitSetting } from "./limit-setting.js"
import { SettingError } from "./setting-error.js"

/** What of a configuration concerns the deployable Worker. */
export interface WorkerConfig {
  readonly limits: readonly LimitSetting[]
  readonly groups: readonly GroupSetting[]
  readonly upstream: string | undefined
  /** All of it, for the API: the limits without paths too. */
  readonly config: Config
}

/**
 * The limits and groups of a `sluice.toml` that have `paths`.
 *
 * @param input the text, or a table of the same shape
 * @param variables all of the Worker's; those that a configuration names override what it says
 * @throws {SettingError} where the configuration cannot be, or protects no path
 */
export function readWorkerConfig(input: unknown, variables: object): WorkerConfig {
  const texts = Object.entries(variables).filter((each): each is [string, string] => typeof each[1] === "string")
  try {
    const config = parseConfig(input as string | object, { env: Object.fromEntries(texts) })
    const isProtecting = ({ paths }: RequestsConfig) => paths.length > 0
    const limits = [...config.limits.values()]
      .filter(isProtecting)
      .map(({ name, paths, policy, failMode, timeoutMs }) => {
        const options = rateLimitOptions(config, name, { address: ADDRESS })
        return { name, paths, policy, key: options.key!, failMode, timeoutMs, options }
      })
    const groups = [...config.groups.values()].filter(isProtecting).map(({ name, paths, limits: members }) => {
      const limitNames = members.map((member) => member.name)
      return { name, paths, limitNames, options: rateLimitOptions(config, name, { address: ADDRESS }) }
    })
    if (limits.length + groups.length === 0) {
      throw new SettingError("CONFIG.limits", [...config.limits.keys()], "at least one limit with paths")
    }
    return { limits, groups, upstream: config.upstream ?? undefined, config }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new SettingError(`CONFIG: ${error.field}`, error.value, error.allowed)
  }
}
