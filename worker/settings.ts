import { type LimitSetting, readLimit } from "./limit-setting.js"
import { PrefixMap } from "./path-prefix.js"
import { SettingError } from "./setting-error.js"

/** The variables of the deployed Worker, as `wrangler.toml` gives them: not looked at yet. */
export interface SettingVariables {
  readonly LIMITS?: unknown
  readonly UPSTREAM?: unknown
}

/** What the deployed Worker does. */
export interface Settings {
  readonly limits: readonly LimitSetting[]
  /** Which limit protects a path. */
  readonly limitByPath: PrefixMap<LimitSetting>
  /** Where requests go that are within their limit; `null` for the built-in echo. */
  readonly upstream: URL | null
}

/**
 * Reads the settings of the deployed Worker:
 *
 * - `LIMITS`: at least one table, see `readLimit`. No two have the same name or protect the same prefix.
 * - `UPSTREAM`: an `http` or `https` URL, its path put before that of each request. Absent or empty, an echo answers.
 *
 * @throws {SettingError} naming the field, its value and what is allowed
 */
export function readSettings({ LIMITS, UPSTREAM }: SettingVariables): Settings {
  if (!Array.isArray(LIMITS) || LIMITS.length === 0) {
    throw new SettingError("LIMITS", LIMITS, "one or more tables [[vars.LIMITS]]")
  }
  const limits = LIMITS.map((table, index) => readLimit(`LIMITS[${index}]`, table))
  const names = new Set<string>()
  const limitByPath = new PrefixMap<LimitSetting>()
  for (const [index, limit] of limits.entries()) {
    const { name, paths } = limit
    if (names.has(name)) throw new SettingError(`LIMITS[${index}].name`, name, "a name of no other limit")
    names.add(name)
    for (const [place, path] of paths.entries()) {
      if (limitByPath.add(path, limit)) continue
      throw new SettingError(`LIMITS[${index}].paths[${place}]`, path, "a prefix that is not protected already")
    }
  }
  return { limits, limitByPath, upstream: readUpstream(UPSTREAM) }
}

function readUpstream(upstream: unknown): URL | null {
  if (upstream === undefined || upstream === "") return null
  const url = typeof upstream === "string" ? URL.parse(upstream) : null
  const isPlain = url !== null && url.username + url.password + url.search + url.hash === ""
  if (isPlain && (url.protocol === "https:" || url.protocol === "http:")) return url
  throw new SettingError("UPSTREAM", upstream, "an http or https URL without credentials, query and fragment")
}
