import { parse as parseToml } from "#toml"
import { type HeaderStyle, headerStyles } from "../http/rate-limit-fields.js"
import type { FailMode } from "../http/rate-limit-options.js"
import { nearestNameHint } from "../policy/nearest-name.js"
import type { Policy } from "../policy/policy.js"
import type { Config, LimitConfig, LoggingConfig, TenantConfig } from "./config.js"
import { ConfigError } from "./config-error.js"
import { CONFIG } from "./fields.js"
import type { KeySetting } from "./key-setting.js"
import { type Environment, readField } from "./read-field.js"
import { readPolicy } from "./read-policy.js"

/** A configuration: the text of `sluice.toml`, or what such a text says as a plain object, from JSON say. */
export type ConfigInput = string | object

export interface ParseConfigOptions {
  /** The environment, `process.env` say, whose variables override what is written; default none is looked at. */
  readonly env?: Environment
}

/** What the fields say, before policies are read. */
interface Written {
  readonly key_prefix: string
  readonly defaults: { readonly algorithm: string; readonly key: KeySetting; readonly cost: number }
  readonly limits: ReadonlyMap<string, WrittenLimit>
  readonly tiers: ReadonlyMap<string, { readonly limits: ReadonlyMap<string, unknown> }>
  readonly tenants: ReadonlyMap<string, { readonly tier?: string; readonly limits: ReadonlyMap<string, unknown> }>
  readonly headers: {
    readonly styles: readonly HeaderStyle[]
    readonly reset: "epoch" | "delta"
    readonly quota_unit?: string
  }
  readonly failure: { readonly mode: FailMode; readonly timeout: number; readonly status: "429" | "503" }
  readonly jitter: { readonly enabled: boolean; readonly max: number }
  readonly analytics: { readonly enabled: boolean; readonly sample_rate: number; readonly retention: number }
  readonly logging: LoggingConfig
  readonly worker?: { readonly upstream?: string }
}

interface WrittenLimit extends Readonly<Record<string, unknown>> {
  readonly policy?: unknown
  readonly paths?: readonly string[]
  readonly key?: KeySetting
  readonly cost?: number
  readonly fail_mode?: FailMode
  readonly timeout?: number
}

/**
 * Reads a configuration and validates all of it. Nothing is ignored: what is not known is an error with the known name
 * that is nearest to it.
 *
 * @throws {ConfigError} naming the field, the value and what is allowed; of a text that is no TOML, the line and column
 * @example
 * ```ts
 * import { parseConfig } from "sluice/config"
 *
 * const config = parseConfig(`
 *   [limits.api_tier_1]
 *   limit = 100
 *   period = "1m"
 * `)
 * config.limits.get("api_tier_1")?.policy.rules[0].periodMs // 60_000
 * ```
 */
export function parseConfig(input: ConfigInput, { env = {} }: ParseConfigOptions = {}): Config {
  const written = readField(CONFIG, "", typeof input === "string" ? readText(input) : input, env) as Written
  const limits = new Map<string, LimitConfig>()
  for (const [name, limit] of written.limits) limits.set(name, readLimit(name, limit, written))
  refuseSharedPaths(limits)
  const policiesOf = (path: string, policies: ReadonlyMap<string, unknown>) => {
    const read = new Map<string, Policy>()
    for (const [name, policy] of policies) {
      requireKnown(`a name in ${path}`, name, limits.keys(), "limit")
      const parsed = readPolicy(`${path}.${name}`, policy, name, written.defaults.algorithm)
      requireAffordable(path, limits.get(name)!.cost, parsed)
      read.set(name, parsed)
    }
    return read
  }
  const tiers = new Map<string, ReadonlyMap<string, Policy>>()
  for (const [name, tier] of written.tiers) tiers.set(name, policiesOf(`tiers.${name}.limits`, tier.limits))
  const tenants = new Map<string, TenantConfig>()
  for (const [name, { tier = null, limits: own }] of written.tenants) {
    if (tier !== null) requireKnown(`tenants.${name}.tier`, tier, tiers.keys(), "tier")
    tenants.set(name, { tier, limits: policiesOf(`tenants.${name}.limits`, own) })
  }
  const { headers, failure, jitter, analytics } = written
  return {
    keyPrefix: written.key_prefix,
    limits,
    tiers,
    tenants,
    headers: {
      styles: readStyles(headers.styles),
      legacyReset: headers.reset,
      quotaUnit: headers.quota_unit ?? null,
    },
    failure: { mode: failure.mode, timeoutMs: failure.timeout, status: failure.status === "429" ? 429 : 503 },
    jitter: jitter.enabled ? { maxSeconds: jitter.max / 1_000 } : null,
    analytics: { enabled: analytics.enabled, sampleRate: analytics.sample_rate, retentionMs: analytics.retention },
    logging: written.logging,
    upstream: written.worker?.upstream ?? null,
  }
}

function readText(text: string): unknown {
  try {
    return parseToml(text)
  } catch (error) {
    const { line, column, message } = error as { line?: number; column?: number; message: string }
    if (line === undefined) throw error
    const [problem] = message.split("\n")
    throw new ConfigError(`line ${line}, column ${column}`, text.split("\n")[line - 1], `TOML (${problem})`, {
      cause: error,
    })
  }
}

function readLimit(name: string, written: WrittenLimit, { defaults, failure }: Written): LimitConfig {
  const { policy, paths = [], key = defaults.key, cost = defaults.cost, fail_mode, timeout, ...rule } = written
  const path = `limits.${name}`
  const ruleFields = Object.keys(rule)
  if (policy !== undefined && ruleFields.length > 0) {
    throw new ConfigError(
      `${path}.${ruleFields[0]}`,
      rule[ruleFields[0]!],
      "none beside policy, which says all of the rule",
    )
  }
  if (policy === undefined && ruleFields.length === 0) {
    throw new ConfigError(`${path}.policy`, policy, 'a policy such as "100/minute", or the fields of a rule')
  }
  const parsed = readPolicy(policy === undefined ? path : `${path}.policy`, policy ?? rule, name, defaults.algorithm)
  requireAffordable(`${path}.cost`, cost, parsed)
  return {
    name,
    policy: parsed,
    paths,
    key,
    cost,
    failMode: fail_mode ?? failure.mode,
    timeoutMs: timeout ?? failure.timeout,
  }
}

/** A cost above the capacity would never be admitted. */
function requireAffordable(path: string, cost: number, { rules }: Policy): void {
  const most = Math.min(...rules.map(({ capacity }) => capacity))
  if (cost > most) throw new ConfigError(path, cost, `a cost of at most ${most}, which the policy can admit`)
}

function refuseSharedPaths(limits: ReadonlyMap<string, LimitConfig>): void {
  const owners = new Map<string, string>()
  for (const { name, paths } of limits.values()) {
    for (const path of paths) {
      const owner = owners.get(path)
      if (owner !== undefined) {
        throw new ConfigError(
          `limits.${name}.paths`,
          path,
          `a prefix that no other limit protects, as ${JSON.stringify(owner)} does`,
        )
      }
      owners.set(path, name)
    }
  }
}

function readStyles(styles: readonly HeaderStyle[]): readonly HeaderStyle[] | false {
  if (styles.length === 0) return false
  try {
    headerStyles(styles)
  } catch {
    throw new ConfigError(
      "headers.styles",
      styles,
      'one of "draft-11" and "draft-7", which both write the field RateLimit',
    )
  }
  return styles
}

function requireKnown(field: string, name: string, known: Iterable<string>, what: string): void {
  const names = [...known]
  if (names.includes(name)) return
  const list = names.length === 0 ? `a ${what}, and there is none` : `one of the ${what}s ${names.join(", ")}`
  throw new ConfigError(field, name, `${list}${nearestNameHint(name, names)}`)
}
