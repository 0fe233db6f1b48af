import { parse as parseToml } from "#toml"
import type { FailMode } from "../http/limit-options.js"
import { type HeaderStyle, headerStyles } from "../http/rate-limit-fields.js"
import { namer } from "../http/rename-policy.js"
import { nearestNameHint } from "../lib/nearest-name.js"
import { maximumCost } from "../policy/maximum-cost.js"
import { RULE_FIELDS } from "../policy/parse-rule.js"
import type { Policy } from "../policy/policy.js"
import { OBJECT, requireFields } from "../policy/require-fields.js"
import { NO_DELAY, tellsDelay } from "../policy/tells-delay.js"
import type { Algorithm } from "../types/algorithm.js"
import { PolicyError, show } from "../types/errors.js"
import type { Config, GroupConfig, LimitConfig, LoggingConfig, RequestsConfig, TenantConfig } from "./config.js"
import { ConfigError } from "./config-error.js"
import { CONFIG } from "./fields.js"
import type { KeySetting } from "./key-setting.js"
import { MAX_LIMITS_OF_GROUP } from "./limit-fields.js"
import { type Environment, readField, writtenAt } from "./read-field.js"
import { readPolicy } from "./read-policy.js"
import {
  type RequestDefaults,
  readAccess,
  readRequests,
  type WrittenAccess,
  type WrittenRequests,
} from "./read-requests.js"

/**
 * A configuration: the text of `sluice.toml`, or what such a text says as a plain object, from JSON say. So durations
 * are texts in an object too.
 */
export type ConfigInput = string | object

export interface ParseConfigOptions {
  /** The environment, `process.env` say, whose variables override what is written; default none is looked at. */
  readonly env?: Environment | undefined
}

/** What the fields say, before policies are read. */
interface Written {
  readonly key_prefix: string
  readonly defaults: { readonly algorithm: Algorithm; readonly key: KeySetting; readonly cost: number }
  readonly limits: ReadonlyMap<string, WrittenLimit>
  readonly groups: ReadonlyMap<string, WrittenGroup>
  readonly allow?: WrittenAccess
  readonly deny?: WrittenAccess
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

interface WrittenLimit extends WrittenRequests, Readonly<Record<string, unknown>> {
  readonly policy?: unknown
  readonly key?: KeySetting
  readonly cost?: number
}

interface WrittenGroup extends WrittenRequests {
  readonly limits: readonly string[]
}

/**
 * Reads a configuration and validates all of it. Nothing of it is ignored: what is not known is an error with the known
 * name that is nearest to it. Of the environment those variables count that the fields name.
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
export function parseConfig(input: ConfigInput, options: ParseConfigOptions = {}): Config {
  requireFields("read the configuration", options, { env: OBJECT })
  const { env = {} } = options
  // A configuration that could not be had is not one without limits.
  const given: unknown = typeof input === "string" ? readText(input) : (input ?? null)
  const written = readField(CONFIG, "", given, env) as Written
  const { defaults, failure } = written
  const requests: RequestDefaults = {
    allow: readAccess("allow", written.allow),
    deny: readAccess("deny", written.deny),
    failMode: failure.mode,
    timeoutMs: failure.timeout,
  }
  const grouped = new Set([...written.groups.values()].flatMap((group) => group.limits))
  const policyOf = (path: string, policy: unknown, name: string) => {
    const read = readPolicy(path, policy, name, defaults.algorithm)
    return grouped.has(name) ? withName(read, name) : read
  }
  const limits = new Map<string, LimitConfig>()
  for (const [name, limit] of written.limits) {
    limits.set(name, {
      ...readLimit(name, limit, writtenAt(given, ["limits", name]), defaults, policyOf),
      ...readRequests(`limits.${name}`, limit, requests),
    })
  }
  const groups = new Map<string, GroupConfig>()
  for (const [name, group] of written.groups) {
    groups.set(name, {
      name,
      limits: limitsOfGroup(name, group, limits),
      ...readRequests(`groups.${name}`, group, requests),
    })
  }
  refuseSharedPaths(limits, groups)
  const policiesOf = (path: string, policies: ReadonlyMap<string, unknown>) => {
    const read = new Map<string, Policy>()
    for (const [name, policy] of policies) {
      requireKnown(`a name in ${path}`, name, limits.keys(), "limit")
      const parsed = policyOf(`${path}.${name}`, policy, name)
      requireAffordable(name, limits.get(name)!.cost, parsed, `${path}.${name}`)
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
  refuseIdleDelays({ limits, groups, tiers, tenants }, given)
  const { headers, jitter, analytics } = written
  refuseIdleFields(headers)
  return {
    keyPrefix: written.key_prefix,
    limits,
    groups,
    allow: requests.allow,
    deny: requests.deny,
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

/** An object from the start, or a line with a key before a colon. */
const JSON_OR_YAML = /^\s*\{|^[ \t]*[\w-]+:\s/m

function readText(text: string): unknown {
  try {
    return parseToml(text)
  } catch (error) {
    const { line, column, message } = error as { line?: number; column?: number; message: string }
    if (line === undefined) throw error
    if (/^\S+\.(toml|json)$/.test(text.trim())) {
      throw new ConfigError("the text", text, "what the file of that name holds: read it first", { cause: error })
    }
    const [problem] = message.split("\n")
    const other = JSON_OR_YAML.test(text) ? ", or of JSON and YAML the object that their parsers make" : ""
    throw new ConfigError(`line ${line}, column ${column}`, text.split("\n")[line - 1], `TOML (${problem})${other}`, {
      cause: error,
    })
  }
}

/** In the fields of one response, rules of several limits need names that differ. */
function withName(policy: Policy, name: string): Policy {
  try {
    return namer(name)(policy)
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    const allowed = `a shorter one, or a name of each rule: in a group one without is called ${show(error.value)}, of at most 64 characters`
    throw new ConfigError("a name in limits", name, allowed)
  }
}

type ReadPolicy = (path: string, policy: unknown, name: string) => Policy

function readLimit(
  name: string,
  limit: WrittenLimit,
  written: unknown,
  defaults: Written["defaults"],
  policyOf: ReadPolicy,
): Omit<LimitConfig, keyof RequestsConfig> {
  const { policy, key = defaults.key, cost = defaults.cost } = limit
  // As it was written, for errors to show.
  const rule = Object.fromEntries(
    RULE_FIELDS.flatMap((field) => (limit[field] === undefined ? [] : [[field, writtenAt(written, [field])]])),
  )
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
  const pathOfPolicy = policy === undefined ? path : `${path}.policy`
  const parsed = policyOf(pathOfPolicy, policy === undefined ? rule : policy, name)
  requireAffordable(name, cost, parsed, pathOfPolicy)
  return { name, policy: parsed, key, cost }
}

function limitsOfGroup(
  name: string,
  { limits: names }: WrittenGroup,
  limits: ReadonlyMap<string, LimitConfig>,
): readonly LimitConfig[] {
  const path = `groups.${name}.limits`
  if (limits.has(name)) throw new ConfigError("a name in groups", name, "a name that no limit has")
  if (names.length > MAX_LIMITS_OF_GROUP) {
    throw new ConfigError(`${path}.length`, names.length, `at most ${MAX_LIMITS_OF_GROUP}`)
  }
  const rules = new Set<string>()
  return names.map((each, index) => {
    requireKnown(`${path}[${index}]`, each, limits.keys(), "limit")
    if (names.indexOf(each) < index) throw new ConfigError(`${path}[${index}]`, each, "each limit once")
    const limit = limits.get(each)!
    for (const rule of limit.policy.rules) {
      if (rules.has(rule.name)) {
        throw new ConfigError(`${path}[${index}]`, each, `a limit whose rules have other names than ${rule.name}`)
      }
      rules.add(rule.name)
    }
    return limit
  })
}

/**
 * A cost above the capacity would never be admitted.
 *
 * @param limit the limit that has the cost
 * @param path where the policy is written
 */
function requireAffordable(limit: string, cost: number, { rules }: Policy, path: string): void {
  const most = maximumCost(rules)
  if (cost > most) throw new ConfigError(`limits.${limit}.cost`, cost, `at most ${most}, which ${path} can admit`)
}

/** A delay does nothing where no policy that a limit can have, under any tier or for any tenant, tells one. */
function refuseIdleDelays(
  { limits, groups, tiers, tenants }: Pick<Config, "limits" | "groups" | "tiers" | "tenants">,
  given: unknown,
): void {
  const others = [...tiers.values(), ...[...tenants.values()].map((tenant) => tenant.limits)]
  const canHold = ({ name, policy }: LimitConfig) =>
    [policy, ...others.flatMap((policies) => policies.get(name) ?? [])].some(tellsDelay)
  const all = [
    ...[...limits].map(([name, limit]) => [["limits", name, "delay"], limit, [limit]] as const),
    ...[...groups].map(([name, group]) => [["groups", name, "delay"], group, group.limits] as const),
  ]
  for (const [path, { maxDelayMs }, of] of all) {
    if (maxDelayMs === null || of.some(canHold)) continue
    throw new ConfigError(path.join("."), writtenAt(given, path), NO_DELAY)
  }
}

function refuseSharedPaths(limits: ReadonlyMap<string, LimitConfig>, groups: ReadonlyMap<string, GroupConfig>): void {
  const owners = new Map<string, string>()
  const all = [...limits.values(), ...groups.values()]
  for (const [index, { name, paths }] of all.entries()) {
    for (const path of paths) {
      const owner = owners.get(path)
      if (owner !== undefined) {
        throw new ConfigError(
          `${index < limits.size ? "limits" : "groups"}.${name}.paths`,
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

/** What nobody would be told: the style that tells it is not written. */
function refuseIdleFields({ styles, reset, quota_unit }: Written["headers"]): void {
  const needs = (style: HeaderStyle, field: string, value: string) => {
    if (!styles.includes(style)) throw new ConfigError(field, value, `that only with the style "${style}"`)
  }
  if (reset !== "epoch") needs("legacy", "headers.reset", reset)
  if (quota_unit !== undefined) needs("draft-11", "headers.quota_unit", quota_unit)
}

function requireKnown(field: string, name: string, known: Iterable<string>, what: string): void {
  const names = [...known]
  if (names.includes(name)) return
  const list = names.length === 0 ? `a ${what}, and there is none` : `one of the ${what}s ${names.join(", ")}`
  throw new ConfigError(field, name, `${list}${nearestNameHint(name, names)}`)
}
