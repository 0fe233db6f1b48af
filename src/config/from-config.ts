import { lines } from "../limiter/acquire.js"
import { callListener } from "../limiter/call-listener.js"
import { noteCounter } from "../limiter/key-waits.js"
import { noteOwner } from "../limiter/limit-owner.js"
import { MemoryLimits } from "../limiter/memory-limits.js"
import { MEMORY_LIMITS_KINDS, type MemoryLimitsOptions } from "../limiter/memory-limits-options.js"
import { DEFAULT_LIMIT } from "../limiter/named-limits.js"
import { costOf, requireUnits } from "../limiter/require-check-options.js"
import { type Kinds, READ_ELSEWHERE, requireFields, requireNames } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import { KeyError, show } from "../types/errors.js"
import type { Receipt } from "../types/receipt.js"
import { type AskedLimits, askedByName, askedLimits } from "./asked-limits.js"
import type { Config, LimitConfig } from "./config.js"
import { configPolicies, limitNameFor, limitsByName } from "./config-policies.js"
import { ConfiguredCalls } from "./configured-calls.js"
import { type ConfiguredCheck, type ConfiguredLimit, configuredLimit, type GroupKeys } from "./configured-limit.js"
import { type AskedFor, openDecisionLog } from "./decision-log.js"
import { groupOfLimit } from "./limits-by-config.js"
import { LISTENER_KINDS, type ListenerOptions } from "./listener-options.js"
import { type ConfigInput, type ParseConfigOptions, parseConfig } from "./parse-config.js"
import { limitOf, requireWhose, requireWhoseNames, WHOSE_NAMES, type Whose } from "./policy-for.js"
import { requireConfig } from "./require-config.js"

export interface FromConfigOptions extends ParseConfigOptions, Omit<MemoryLimitsOptions, "limits">, ListenerOptions {}

/** Keys whose names are kept while analytics are enabled. */
const ANALYTICS_NAMES = 10_000

const { limits: _limits, ...OF_MEMORY } = MEMORY_LIMITS_KINDS
const OPTION_KINDS: Kinds<FromConfigOptions> = { env: READ_ELSEWHERE, ...OF_MEMORY, ...LISTENER_KINDS }
const CHARGE_NAMES = ["limit", ...WHOSE_NAMES]
const CHECK_NAMES = ["cost", "id", ...CHARGE_NAMES]

/** A configuration, and what was made of it. */
interface InForce {
  readonly config: Config
  readonly calls: ConfiguredCalls
  readonly limitsByName: ReadonlyMap<string, LimitConfig>
  readonly listeners: readonly ((decision: Decision, asked: AskedFor) => unknown)[]
}

/** A configuration in force, in memory. */
export class ConfiguredLimits {
  /** Tells `checkAll` that every verb answers at once. */
  readonly isSynchronous = true
  /** All limits, by name: also those of tiers and tenants, as `limitName` calls them. */
  readonly limits: MemoryLimits
  readonly #options: FromConfigOptions
  #inForce: InForce

  constructor(config: Config, options: FromConfigOptions = {}) {
    requireConfig("make limits", config)
    requireFields("make limits", options, OPTION_KINDS)
    const { enabled } = config.analytics
    const { log: _log, onSample: _onSample, random: _random, env: _env, ...others } = options
    const { stats = enabled, names = enabled ? ANALYTICS_NAMES : 0, ...memory } = others
    this.limits = new MemoryLimits({ ...memory, stats, names, limits: configPolicies(config) })
    this.#options = options
    this.#inForce = this.#prepare(config)
    noteCounter(this, this.limits)
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#inForce.config
  }

  /**
   * Puts another configuration in force, whole: policies, costs, prefix, lists, groups, tiers, tenants, log and sample.
   * What was made of this before goes by it: limiters that `of` gave, functions around them, calls that wait.
   *
   * What was used of a limit stays used, capped at its new capacity. A limit, or a tier's or a tenant's policy of one,
   * that the new configuration does not have is forgotten with its counts, and refused as unknown; what was defined in
   * `limits` beside stays. Whether statistics and names of keys are kept stays as it was at the start.
   *
   * @param config what `parseConfig` gives, which refuses one that cannot be
   * @throws {RangeError} where it is something else; {ConfigError} where a group has the name of a limit that was
   * defined beside; then nothing has changed
   */
  reload(config: Config): void {
    requireConfig("reload limits", config)
    const policies = configPolicies(config)
    const before = configPolicies(this.config)
    for (const name of config.groups.keys()) {
      if (!before.has(name) && this.limits.limit(name) !== null) throw groupOfLimit(name)
    }
    for (const name of before.keys()) if (!policies.has(name)) this.limits.remove(name)
    for (const [name, policy] of policies) this.limits.define(name, policy)
    this.#inForce = this.#prepare(config)
    // Who counted under the same names may not do so any more.
    lines.get(this)?.regroup()
  }

  #prepare(config: Config): InForce {
    const { log, onSample, random = Math.random, clock } = this.#options
    const { enabled, sampleRate } = config.analytics
    const { onDecision } = openDecisionLog(config.logging, log, clock)
    return {
      config,
      calls: new ConfiguredCalls(this.limits, config),
      limitsByName: limitsByName(config),
      listeners: [
        ...(onDecision === undefined ? [] : [onDecision]),
        ...(enabled && onSample !== undefined
          ? [(decision: Decision) => (random() < sampleRate ? onSample(decision) : undefined)]
          : []),
      ],
    }
  }

  /**
   * The name in `limits` of a limit as a tenant or a tier has it. Keys under different names are counted apart.
   *
   * @throws {LimitNotFound}
   */
  limitName(limit: string, whose: Whose = {}): string {
    return limitNameFor(this.config, limit, whose)
  }

  /**
   * A limit or a group as a limiter of its own, for a tenant or a tier: `wrap`, `limited`, `acquire` and `checkAll`
   * take it, and what they ask goes by the configuration, as `check` does. Keys have no prefix here. All who wait and
   * count under the same names stand in one line.
   *
   * @throws {LimitNotFound}; {RangeError} where there is no such tier, or an option that there is not
   */
  of(limit: string, whose: Whose = {}): ConfiguredLimit {
    requireWhoseNames(whose)
    const { tenant, tier } = whose
    const countedAs = () => this.#countedAs(limit, { tenant, tier })
    countedAs()
    const policyNow = () => this.limits.of(this.limitName(limit, { tenant, tier })).policy
    const view = configuredLimit(this, { limit, tenant, tier }, policyNow)
    noteOwner(view, { limits: this, name: limit, whose: { tenant, tier }, countedAs })
    return view
  }

  /**
   * The names under which a limit or a group is counted for a customer; `undefined` where these are the limits' own.
   */
  #countedAs(limit: string, whose: Whose): string | undefined {
    const asked = this.config.groups.get(limit)?.limits ?? [{ name: limit }]
    const names = asked.map(({ name }) => this.limitName(name, whose))
    return asked.every(({ name }, index) => name === names[index]) ? undefined : JSON.stringify(names)
  }

  /** A key as it is counted, the prefix before it. */
  key(key: string): string {
    return `${this.config.keyPrefix}${key}`
  }

  /**
   * Asks and charges, as the configuration says: the limit's cost where none is given, the key's prefix, its lists of
   * keys, log and sample. Without `limit` a key has the limit of its own name, the prefix included, else the one named
   * `"default"`.
   *
   * A group is asked for one key of all its limits, or for a key of each by the limit's name. All admit, or none is
   * charged; each limit's own decision, with its receipt, is in `limits`. What the log or `onSample` throws changes
   * nothing.
   *
   * @throws {LimitNotFound} {CostError} {KeyError}; {RangeError} where there is no such tier; then nothing has changed
   */
  check(key: string | GroupKeys, options: ConfiguredCheck = {}): Decision {
    const decision = this.#decide("check", key, options)
    const { listeners } = this.#inForce
    if (listeners.length === 0) return decision
    const { limit = this.#nameFor(key), tenant, tier } = options
    for (const listener of listeners) callListener(listener, decision, { limit, tenant, tier })
    return decision
  }

  /** What `check` would say, charging nothing; neither the log nor `onSample` hears of it. @throws as `check` */
  peek(key: string | GroupKeys, options: ConfiguredCheck = {}): Decision {
    return this.#decide("peek", key, options)
  }

  #decide(verb: "check" | "peek", key: string | GroupKeys, options: ConfiguredCheck): Decision {
    costOf(key, options, CHECK_NAMES)
    // Limits in memory answer at once.
    return this.#inForce.calls.decide(verb, this.#asked(key, options), options) as Decision
  }

  #asked(key: string | GroupKeys, options: ConfiguredCheck): AskedLimits {
    const { config, limitsByName } = this.#inForce
    const { limit = this.#nameFor(key), cost, tenant, tier } = options
    // A key's own limit is none of a group's, also where one was defined beside under a group's name.
    const isOwn = options.limit === undefined && limit !== DEFAULT_LIMIT
    const group = isOwn ? undefined : config.groups.get(limit)
    const isConfigured = group !== undefined || config.limits.has(limit)
    if (!isConfigured && options.limit === undefined && this.limits.limit(limit) !== null) {
      requireWhose(config, { tenant, tier })
      return askedByName(config, limitsByName, { key: this.key(requireText(key)), limit }, cost)
    }
    const find = ({ name }: LimitConfig) => ({
      key: this.key(group ? keyOf(key, name) : requireText(key)),
      limit: this.limitName(name, { tenant, tier }),
    })
    return askedLimits(config, group ?? limitOf(config, limit), find, cost)
  }

  /** The name that a call is about which names none: that of the key's own limit, which may be defined beside. */
  #nameFor(key: string | GroupKeys): string {
    if (typeof key !== "string") return DEFAULT_LIMIT
    const counted = this.key(key)
    return this.limits.limit(counted) === null ? DEFAULT_LIMIT : counted
  }

  /** As `MemoryLimits.refund`, of a receipt that `check` gave. */
  refund(receipt: Receipt, units?: number): void {
    this.limits.refund(receipt, units)
  }

  /** As `MemoryLimits.settle`, of a receipt that `check` gave. */
  settle(receipt: Receipt, actualCost: number): void {
    this.limits.settle(receipt, actualCost)
  }

  /**
   * Takes units whatever is left, of each limit of a group: a penalty, which may put the key into debt. Of a key on the
   * lists nothing is counted.
   *
   * @throws as `check`, and {RangeError} where the units are out of range; then nothing has changed
   */
  charge(key: string | GroupKeys, units: number, options: Omit<ConfiguredCheck, "cost" | "id"> = {}): void {
    requireNames("charge", options, CHARGE_NAMES)
    requireUnits(units)
    this.#inForce.calls.charge(this.#asked(key, options), units)
  }

  /** `check`, but only whether. */
  allow(key: string | GroupKeys, options?: ConfiguredCheck): boolean {
    return this.check(key, options).allowed
  }
}

/** The key of a group's limit. @throws {KeyError} */
function keyOf(key: string | GroupKeys, limit: string): string {
  if (typeof key !== "object" || key === null) return requireText(key)
  if (!Object.hasOwn(key, limit)) throw new KeyError(key, `the group's limit ${show(limit)} has none in it`)
  return requireText(key[limit])
}

/** A prefix before it would make a text of anything. @throws {KeyError} */
function requireText(key: unknown): string {
  if (typeof key !== "string") throw new KeyError(key, "a key is a string")
  return key
}

/**
 * Limits in memory as a configuration says: the text of `sluice.toml`, or an object of the same shape.
 *
 * @throws {ConfigError} naming the field, the value and what is allowed
 * @example
 * ```ts
 * import { fromConfig } from "sluice/config"
 *
 * const limits = fromConfig(`
 *   [limits.default]
 *   policy = "10/second; 1000/hour"
 *
 *   [limits.login]
 *   limit = 5
 *   period = "1m"
 *   block = "15m"
 * `)
 * limits.check("user:42").remaining // 9
 * limits.check("user:42", { limit: "login" }).remaining // 4
 * ```
 */
export function fromConfig(input: ConfigInput, options: FromConfigOptions = {}): ConfiguredLimits {
  const { env } = options
  return new ConfiguredLimits(parseConfig(input, env && { env }), options)
}
