import type { Config } from "../src/config/config.js"
import { parseUrl } from "../src/lib/parse-url.js"
import { show } from "../src/types/errors.js"
import { type GroupSetting, type LimitSetting, readLimit } from "./limit-setting.js"
import { isMisleading, PrefixMap, prefixOfPattern } from "./prefix-map.js"
import { SettingError } from "./setting-error.js"
import { readWorkerConfig } from "./worker-config.js"

/** The variables of the deployed Worker, as `wrangler.toml` gives them: not looked at yet. */
export interface SettingVariables {
  readonly LIMITS?: unknown
  readonly UPSTREAM?: unknown
  readonly CONFIG?: unknown
  readonly API_HOST?: unknown
}

/** What the deployed Worker does. */
export interface Settings {
  readonly limits: readonly LimitSetting[]
  readonly groups: readonly GroupSetting[]
  /** Which limit, or group of limits, protects a path. */
  readonly limitByPath: PrefixMap<LimitSetting | GroupSetting>
  /** The whole configuration, where there is one. */
  readonly config: Config | null
  /** Where requests go that are within their limit; `null` for the built-in echo. */
  readonly upstream: URL | null
  /**
   * The host whose paths are the API's and the dashboard's; `null` where every host's are, as long as an echo answers.
   */
  readonly apiHost: string | null
}

/**
 * Reads the settings of the deployed Worker:
 *
 * - `LIMITS`: at least one table, see `readLimit`. No two have the same name or protect the same prefix.
 * - `CONFIG`, in place of `LIMITS`: a `sluice.toml`, as text or as a table. Its limits and groups that have `paths` are
 *   in front of them, all of its limits answer the API, and variables such as `SLUICE_FAIL_MODE` override what it says.
 * - `UPSTREAM`: an `http` or `https` URL, its path put before that of each request. Absent or empty, the one of
 *   `CONFIG` counts; where there is none, an echo answers.
 * - `API_HOST`: a host name, such as `limits.example.com`, under which the API and the dashboard answer. Without it
 *   they do so under every name, but only where an echo answers: an upstream's own paths are not taken from it.
 *
 * @throws {SettingError} naming the field, its value and what is allowed
 */
export function readSettings(variables: SettingVariables): Settings {
  const { LIMITS, UPSTREAM, CONFIG } = variables
  const apiHost = readHost(variables.API_HOST)
  if (CONFIG !== undefined && CONFIG !== "") {
    if (LIMITS !== undefined) throw new SettingError("LIMITS", LIMITS, "none beside CONFIG")
    const { limits, groups, upstream, config } = readWorkerConfig(CONFIG, variables)
    const fieldOf = (name: string) => `CONFIG.${config.groups.has(name) ? "groups" : "limits"}.${name}`
    return {
      limits,
      groups,
      config,
      limitByPath: byPath([...limits, ...groups], fieldOf),
      // An empty variable counts as none, as those that a configuration names do.
      upstream: readUpstream(UPSTREAM === "" ? upstream : (UPSTREAM ?? upstream)),
      apiHost,
    }
  }
  if (!Array.isArray(LIMITS) || LIMITS.length === 0) {
    throw new SettingError("LIMITS", LIMITS, "one or more tables [[vars.LIMITS]]")
  }
  const limits = LIMITS.map((table, index) => readLimit(`LIMITS[${index}]`, table))
  const names = new Set<string>()
  for (const [index, { name }] of limits.entries()) {
    if (names.has(name)) throw new SettingError(`LIMITS[${index}].name`, name, "a name of no other limit")
    names.add(name)
  }
  const limitByPath = byPath(limits, (_name, index) => `LIMITS[${index}]`)
  return { limits, groups: [], config: null, limitByPath, upstream: readUpstream(UPSTREAM), apiHost }
}

function byPath<S extends LimitSetting | GroupSetting>(
  limits: readonly S[],
  fieldOf: (name: string, index: number) => string,
): PrefixMap<S> {
  const limitByPath = new PrefixMap<S>()
  for (const [index, limit] of limits.entries()) {
    for (const [place, path] of limit.paths.entries()) {
      const field = `${fieldOf(limit.name, index)}.paths[${place}]`
      if (isMisleading(path)) {
        throw new SettingError(field, path, 'a path such as "/api", without ";", %00 and an encoded ".."')
      }
      const plain = prefixOfPattern(path)
      if (plain !== null) {
        throw new SettingError(
          field,
          path,
          `a prefix: ${show(plain)} covers all below it; a character meant as itself is encoded, as %5B`,
        )
      }
      if (!limitByPath.add(path, limit)) throw new SettingError(field, path, "a prefix that is not protected already")
    }
  }
  return limitByPath
}

function readHost(host: unknown): string | null {
  if (host === undefined || host === "") return null
  if (typeof host === "string" && /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(host)) return host
  throw new SettingError("API_HOST", host, "a host name in lower case, without a port")
}

function readUpstream(upstream: unknown): URL | null {
  if (upstream === undefined || upstream === "") return null
  const url = typeof upstream === "string" ? parseUrl(upstream) : null
  const isPlain = url !== null && url.username + url.password + url.search + url.hash === ""
  if (isPlain && (url.protocol === "https:" || url.protocol === "http:")) return url
  throw new SettingError("UPSTREAM", upstream, "an http or https URL without credentials, query and fragment")
}
