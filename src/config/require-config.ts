import { unfit } from "../policy/require-fields.js"
import type { Config } from "./config.js"

/**
 * Refuses what `parseConfig` did not give: the text of a file, say, or the limits of `fromConfig`.
 *
 * @param act what cannot be done then
 * @throws {RangeError}
 */
export function requireConfig(act: string, config: Config): void {
  const { limits, tiers, config: own } = (config ?? {}) as Partial<Config & { readonly config: unknown }>
  if (limits instanceof Map && tiers instanceof Map) return
  const hint = own === undefined ? "" : ", as in its field config"
  throw unfit(act, "config", config, `what parseConfig gives${hint}`)
}
