import { ConfigError } from "../src/config/config-error.js"
import { ofRequests } from "../src/config/limit-fields.js"
import { type ConfiguredRateLimit, requestOptions } from "../src/config/rate-limit-options.js"
import { readField } from "../src/config/read-field.js"
import { readRequests } from "../src/config/read-requests.js"
import type { KeyExtractor } from "../src/http/keys/key-extractor.js"
import type { FailMode } from "../src/http/rate-limit-options.js"
import { nearestNameHint } from "../src/policy/nearest-name.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Policy, PolicyInput } from "../src/policy/policy.js"
import { MAX_TIMER_MS } from "../src/policy/policy-range.js"
import { NO_DELAY, tellsDelay } from "../src/policy/tells-delay.js"
import { PolicyError } from "../src/types/errors.js"
import { keyExtractor } from "./key-setting.js"
import { SettingError } from "./setting-error.js"

/** A limit of the deployed Worker, from a table `[[vars.LIMITS]]` of `wrangler.toml`. */
export interface LimitSetting {
  /** Sets its keys apart from those of other limits, and names its rule in the RateLimit fields. Keep it: see below. */
  readonly name: string
  /** The path prefixes that it protects. */
  readonly paths: readonly string[]
  readonly policy: Policy
  readonly key: KeyExtractor
  readonly failMode: FailMode
  readonly timeoutMs: number
  /** What a `sluice.toml` says beside the above, of headers and jitter say; absent where the limit is of a table. */
  readonly options?: Partial<ConfiguredRateLimit>
}

/** Several limits of a `sluice.toml` in front of the same paths. */
export interface GroupSetting extends Pick<LimitSetting, "name" | "paths"> {
  /** What each limit is called, by its policy's canonical text: its keys are the same whoever asks it. */
  readonly limitNames: ReadonlyMap<string, string>
  readonly options: ConfiguredRateLimit
}

/** What a limit may say beside the rest, as in a `sluice.toml`. */
const OF_REQUESTS = ["allow", "deny", "penalty", "delay"] as const
const FIELDS: readonly string[] = ["name", "paths", "policy", "key", "failMode", "timeoutMs", ...OF_REQUESTS]
const NOBODY = { addresses: [], keys: [] }
const FAIL_MODES: readonly unknown[] = ["open", "closed", "local"]
/** What a rule may be called: the name stands in header fields. */
const NAME = /^[!-~](?:[ -~]{0,62}[!-~])?$/

/**
 * Reads a limit:
 *
 * | field | value |
 * |---|---|
 * | `name` | 1 to 64 printable ASCII characters. A policy that changes under the same name keeps what was used |
 * | `paths` | prefixes such as `["/api", "/login"]`; `"/"` is all. Of several limits the longest prefix counts |
 * | `policy` | a short form such as `"100/minute"`, a rule as a table, or a list of either |
 * | `key` | what to count by, see `keyExtractor`; default `"address"` |
 * | `failMode` | while the Durable Object does not answer: `"open"` (default), `"closed"` or `"local"` |
 * | `timeoutMs` | how long it may take, 1 to 2^31 − 1; default 1000 |
 * | `allow`, `deny` | `{ addresses, keys }`: clients that are not limited, or are refused |
 * | `penalty` | `{ status, units }`: what responses of these statuses cost on top |
 * | `delay` | the longest time that a request of a `leaky_bucket` is held, such as `"5s"` |
 *
 * @param field what an error calls the table, such as `"LIMITS[0]"`
 * @throws {SettingError} naming the first field that cannot be
 */
export function readLimit(field: string, table: unknown): LimitSetting {
  if (typeof table !== "object" || table === null || Array.isArray(table)) {
    throw new SettingError(field, table, `a table of ${FIELDS.join(", ")}`)
  }
  for (const known of Object.keys(table)) {
    if (FIELDS.includes(known)) continue
    throw new SettingError(`${field}.field`, known, `one of ${FIELDS.join(", ")}${nearestNameHint(known, FIELDS)}`)
  }
  const {
    name,
    paths,
    policy,
    key = "address",
    failMode = "open",
    timeoutMs = 1_000,
  } = table as Record<string, unknown>
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new SettingError(`${field}.name`, name, "1 to 64 printable ASCII characters without a space at either end")
  }
  if (!FAIL_MODES.includes(failMode)) {
    throw new SettingError(`${field}.failMode`, failMode, 'one of "open", "closed", "local"')
  }
  if (!Number.isInteger(timeoutMs) || (timeoutMs as number) < 1 || (timeoutMs as number) > MAX_TIMER_MS) {
    throw new SettingError(`${field}.timeoutMs`, timeoutMs, `a whole number of ms from 1 to ${MAX_TIMER_MS}`)
  }
  const parsed = readPolicy(`${field}.policy`, policy, name)
  return {
    name,
    paths: readPaths(`${field}.paths`, paths),
    policy: parsed,
    key: keyExtractor(`${field}.key`, key),
    failMode: failMode as FailMode,
    timeoutMs: timeoutMs as number,
    ...readOptions(field, table as Record<string, unknown>, parsed, failMode as FailMode, timeoutMs as number),
  }
}

function readOptions(
  field: string,
  table: Readonly<Record<string, unknown>>,
  policy: Policy,
  failMode: FailMode,
  timeoutMs: number,
): Pick<LimitSetting, "options"> {
  if (OF_REQUESTS.every((name) => table[name] === undefined)) return {}
  try {
    const written = Object.fromEntries(
      OF_REQUESTS.map((name) => [name, readField(ofRequests[name], `${field}.${name}`, table[name], {})]),
    )
    const of = readRequests(field, written, { allow: NOBODY, deny: NOBODY, failMode, timeoutMs })
    if (of.maxDelayMs !== null && !tellsDelay(policy)) throw new ConfigError(`${field}.delay`, table["delay"], NO_DELAY)
    return { options: requestOptions(of, "") }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new SettingError(error.field, error.value, error.allowed)
  }
}

function readPaths(field: string, paths: unknown): string[] {
  if (!Array.isArray(paths) || paths.length === 0) {
    throw new SettingError(field, paths, 'a list of path prefixes such as "/api"')
  }
  for (const [index, path] of paths.entries()) {
    if (typeof path === "string" && /^\/[^?#]*$/.test(path)) continue
    throw new SettingError(`${field}[${index}]`, path, 'a path such as "/api", without a query')
  }
  return paths
}

/** A policy whose only rule has no name gets the limit's. */
function readPolicy(field: string, input: unknown, name: string): Policy {
  try {
    const policy = parsePolicy(input as PolicyInput)
    if (policy.name !== "default") return policy
    return parsePolicy({ ...JSON.parse(policy.canonical)[0], name })
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw new SettingError(error.field === "policy" ? field : `${field}.${error.field}`, error.value, error.allowed)
  }
}
