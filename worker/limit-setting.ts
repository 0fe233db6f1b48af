import { ConfigError } from "../src/config/config-error.js"
import type { Field } from "../src/config/field.js"
import { keyExtractorOf } from "../src/config/key-setting.js"
import { failMode, limit, ofRequests } from "../src/config/limit-fields.js"
import { type ConfiguredRateLimit, requestOptions } from "../src/config/rate-limit-options.js"
import { readField, writtenAt } from "../src/config/read-field.js"
import { readPolicy } from "../src/config/read-policy.js"
import { readRequests, type WrittenRequests } from "../src/config/read-requests.js"
import { CLOUDFLARE_ADDRESS, clientAddress } from "../src/http/keys/client-address.js"
import type { KeyExtractor } from "../src/http/keys/key-extractor.js"
import type { FailMode } from "../src/http/limit-options.js"
import type { Policy } from "../src/policy/policy.js"
import { MAX_TIMER_MS } from "../src/policy/policy-range.js"
import { RULE_NAME, RULE_NAME_ALLOWED } from "../src/policy/rule-name.js"
import { NO_DELAY, tellsDelay } from "../src/policy/tells-delay.js"
import { SettingError } from "./setting-error.js"

export const ADDRESS = { header: CLOUDFLARE_ADDRESS }

/** A limit of the deployed Worker, from a table `[[vars.LIMITS]]` of `wrangler.toml`. */
export interface LimitSetting {
  /**
   * Sets its keys apart from those of other limits, and names its rule in the RateLimit fields. A policy that changes
   * under the same name keeps what was used.
   */
  readonly name: string
  /** The path prefixes that it protects. */
  readonly paths: readonly string[]
  readonly policy: Policy
  readonly key: KeyExtractor
  readonly failMode: FailMode
  readonly timeoutMs: number
  /** What is said beside the above, of lists, a penalty or headers for example; absent where nothing is. */
  readonly options?: Partial<ConfiguredRateLimit>
}

/** Several limits of a `sluice.toml` in front of the same paths. */
export interface GroupSetting extends Pick<LimitSetting, "name" | "paths"> {
  /** What its limits are called, in their order. */
  readonly limitNames: readonly string[]
  readonly options: ConfiguredRateLimit
}

const { paths, allow, deny, penalty, delay } = ofRequests
const { policy, key } = limit.fields

/** What a table may say: the fields of a limit in `sluice.toml`, under names as `wrangler.toml` has them. */
const TABLE: Field = {
  kind: "table",
  about: "A limit.",
  required: ["name", "paths"],
  fields: {
    name: {
      kind: "text",
      pattern: RULE_NAME,
      allowed: RULE_NAME_ALLOWED,
      about: "A policy that changes under the same name keeps what was used.",
    },
    paths,
    policy: policy!,
    key: { ...key!, fallback: "address" },
    failMode: { ...failMode, fallback: "open" },
    timeoutMs: {
      kind: "whole",
      unit: "ms",
      min: 1,
      max: MAX_TIMER_MS,
      fallback: 1_000,
      about: "How long it may take.",
    },
    allow,
    deny,
    penalty,
    delay,
  },
}

interface Written extends Pick<WrittenRequests, "allow" | "deny" | "penalty" | "delay"> {
  readonly name: string
  readonly paths: readonly string[]
  readonly policy?: unknown
  readonly key: unknown
  readonly failMode: FailMode
  readonly timeoutMs: number
}

const NOBODY = { addresses: [], keys: [] }

/**
 * Reads a limit from a table, as docs/deployable-worker.md describes it. The key `"address"` is the one that Cloudflare
 * tells, IPv6 by its /56 network.
 *
 * @param field what an error calls the table, such as `"LIMITS[0]"`
 * @throws {SettingError} naming the first field that cannot be
 */
export function readLimit(field: string, table: unknown): LimitSetting {
  try {
    const { name, paths, policy, key, failMode, timeoutMs, ...rest } = readField(TABLE, field, table, {}) as Written
    const parsed = readPolicy(`${field}.policy`, policy, name, "gcra")
    const of = readRequests(field, rest, { allow: NOBODY, deny: NOBODY, failMode, timeoutMs })
    if (of.maxDelayMs !== null && !tellsDelay(parsed)) {
      throw new ConfigError(`${field}.delay`, writtenAt(table, ["delay"]), NO_DELAY)
    }
    const refuse = (...refused: [string, unknown, string]) => new ConfigError(...refused)
    return {
      name,
      paths,
      policy: parsed,
      failMode,
      timeoutMs,
      key: keyExtractorOf(`${field}.key`, key, refuse, clientAddress(ADDRESS)),
      ...(Object.keys(rest).length > 0 && { options: requestOptions(of, "") }),
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new SettingError(error.field.replace(/^a field of (.*)$/, "$1.field"), error.value, error.allowed)
  }
}
