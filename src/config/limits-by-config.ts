import { costOfChosen, costToExplain, requireChoice, requireItems, requireUnits } from "../limiter/check-options.js"
import { nextAdmissionAtMs } from "../limiter/explain.js"
import { GroupAdmissions, toldAgain } from "../limiter/group-admissions.js"
import { noteCounter } from "../limiter/key-waits.js"
import {
  DEFAULT_LIMIT,
  type Explanation,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
} from "../limiter/named-limits.js"
import { type OneLimit, oneLimit } from "../limiter/one-limit.js"
import { unfit } from "../policy/check-fields.js"
import type { Policy, PolicyInput } from "../policy/policy.js"
import { refuseRepeats } from "../policy/require-group.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { LimitNotFound } from "../types/errors.js"
import type { AllDecision, CheckItem, CheckOptions } from "../types/limiter.js"
import { accessOf, listedDecision } from "./access.js"
import type { Config, GroupConfig, LimitConfig } from "./config.js"
import { ConfigError } from "./config-error.js"
import { groupDecision } from "./group-decision.js"

const NAME_OF_NO_STORED_LIMIT = "a name that no limit of the store has: rename the group, or remove that limit"
const NAME_OF_NO_GROUP = "a name that no group of the configuration has"

type Asked = CheckOptions & LimitChoice

/** The verbs over several limits, each by promise. */
type ByPromise = {
  [Verb in keyof NamedLimits]: (
    ...told: Parameters<NamedLimits[Verb]>
  ) => Promise<Awaited<ReturnType<NamedLimits[Verb]>>>
}

/** Named limits as a configuration says. Their verbs answer by promise, whatever the limits do. */
export interface LimitsByConfig extends ByPromise {
  readonly isSynchronous: false
  /** `checkAll`, but only whether. */
  allowAll(items: readonly CheckItem[]): Promise<boolean>
  /** One of the limits or groups by itself, as `oneLimit` makes it. */
  of(name: string): OneLimit<LimitsByConfig>
}

/**
 * Named limits that decide as a configuration says where they are asked by name, as a server's are: a limit's cost where
 * a check gives none, its lists of keys, and groups, which are asked for one key of all their limits.
 *
 * Keys are whole here, the prefix included. `limits` has the configured limits already, and stays whose it is: what is
 * no verb over several limits, such as `close`, is asked of it. An id makes the repeated check of a group harmless
 * within this process. A limit cannot be defined under a group's name; `requireGroupNames` sees to those that are there.
 *
 * @param clock how long ids of groups are remembered; default the machine's
 */
export function limitsByConfig(limits: NamedLimits, config: Config, clock: Clock = systemClock): LimitsByConfig {
  const asked: ByPromise = { ...byPromise(limits), ...(!isPlain(config) && verbs(limits, config, clock)) }
  const configured: LimitsByConfig = {
    ...asked,
    isSynchronous: false,
    allowAll: async (items) => (await asked.checkAll(items)).allowed,
    of: (name) => oneLimit(configured, name),
  }
  noteCounter(configured, limits)
  return configured
}

/**
 * Refuses a configuration with a group of a name that limits have which are there already, in a store say: a check would
 * ask the one, and every other verb the other.
 *
 * @throws {ConfigError} naming the group
 */
export async function requireGroupNames(limits: Pick<NamedLimits, "limit">, { groups }: Config): Promise<void> {
  for (const name of groups.keys()) {
    if ((await limits.limit(name)) !== null) throw new ConfigError("a name in groups", name, NAME_OF_NO_STORED_LIMIT)
  }
}

/** The limits' own verbs. */
function byPromise(limits: NamedLimits): ByPromise {
  return {
    define: async (...told) => limits.define(...told),
    remove: async (...told) => limits.remove(...told),
    limits: async (...told) => limits.limits(...told),
    limit: async (...told) => limits.limit(...told),
    check: async (...told) => limits.check(...told),
    allow: async (...told) => limits.allow(...told),
    peek: async (...told) => limits.peek(...told),
    checkAll: async (...told) => limits.checkAll(...told),
    refund: async (...told) => limits.refund(...told),
    settle: async (...told) => limits.settle(...told),
    charge: async (...told) => limits.charge(...told),
    block: async (...told) => limits.block(...told),
    unblock: async (...told) => limits.unblock(...told),
    reset: async (...told) => limits.reset(...told),
    status: async (...told) => limits.status(...told),
    stats: async (...told) => limits.stats(...told),
    list: async (...told) => limits.list(...told),
    top: async (...told) => limits.top(...told),
    history: async (...told) => limits.history(...told),
    explain: async (...told) => limits.explain(...told),
  }
}

/** Whether the limits alone decide as the configuration says. */
function isPlain({ limits, groups }: Config): boolean {
  return (
    groups.size === 0 &&
    [...limits.values()].every(({ cost, allow, deny }) => cost === 1 && allow.keys.length + deny.keys.length === 0)
  )
}

function verbs(limits: NamedLimits, config: Config, clock: Clock) {
  const admissions = new GroupAdmissions()

  /** The limit that decides on a key, where the configuration has it. */
  async function limitFor(key: string, name: string | undefined): Promise<LimitConfig | undefined> {
    if (name !== undefined) return config.limits.get(name)
    return config.limits.get((await limits.limit(key)) === null ? DEFAULT_LIMIT : key)
  }

  /** A key as the lists have it; one without the prefix is on none. */
  function unprefixed(key: string): readonly string[] {
    return typeof key === "string" && key.startsWith(config.keyPrefix) ? [key.slice(config.keyPrefix.length)] : []
  }

  async function ask(verb: "check" | "peek", key: string, options: Asked = {}): Promise<Decision> {
    costOfChosen(key, options)
    const group = options.limit === undefined ? undefined : config.groups.get(options.limit)
    if (group !== undefined) return askGroup(verb, group, key, options)
    const of = await limitFor(key, options.limit)
    if (of === undefined) return limits[verb](key, options)
    const { cost = of.cost } = options
    const access = accessOf(of, unprefixed(key))
    if (access === "limit") return limits[verb](key, { ...options, cost })
    return listedDecision(access, await policyInForce(of), key, cost)
  }

  async function askGroup(verb: "check" | "peek", group: GroupConfig, key: string, options: Asked): Promise<Decision> {
    const items = group.limits.map(({ name, cost }) => ({ key, cost: options.cost ?? cost, limit: name }))
    const access = accessOf(group, unprefixed(key))
    if (access !== "limit") return listedDecision(access, await policyInForce(group.limits[0]!), key, items[0]!.cost)
    const { id } = options
    const call = id === undefined ? null : { id, key: `${group.name}\n${key}`, cost: items[0]!.cost }
    const told = call === null ? undefined : admissions.find(call.id, call.key, call.cost, clock.now())
    if (told !== undefined) {
      const now = await peekAll(items.map((item) => ({ ...item, cost: 0 })))
      return decisionOf(group, toldAgain(told, now))
    }
    if (verb === "peek") return decisionOf(group, await peekAll(items))
    const ask = async () => limits.checkAll(items)
    const { decisions } = await (call === null ? ask() : admissions.ask(call, clock, ask))
    return decisionOf(group, decisions)
  }

  async function decisionOf(group: GroupConfig, decisions: readonly Decision[]): Promise<Decision> {
    return groupDecision(await Promise.all(group.limits.map(policyInForce)), decisions)
  }

  /** What a limit has become, where it was defined anew since the configuration was read. */
  async function policyInForce({ name, policy }: LimitConfig): Promise<Policy> {
    return (await limits.limit(name))?.policy ?? policy
  }

  function peekAll(items: readonly CheckItem[]): Promise<readonly Decision[]> {
    return Promise.all(items.map(({ key, ...item }) => limits.peek(key, item)))
  }

  /** Keys that are allowed are not asked for; one that is denied denies all. */
  async function checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    requireItems(items)
    // Keys on a list are asked of nobody, who would refuse them.
    refuseRepeats(items.map(({ key, limit }) => ({ subject: `${limit ?? ""}\n${key}`, key })))
    const found = await Promise.all(
      items.map(async (item) => {
        const of = await limitFor(item.key, item.limit)
        const access = of === undefined ? "limit" : accessOf(of, unprefixed(item.key))
        const cost = item.cost ?? of?.cost
        const full = cost === undefined ? item : { ...item, cost }
        if (access === "limit") return { full, listed: null }
        return { full, listed: listedDecision(access, await policyInForce(of!), item.key, cost ?? 1) }
      }),
    )
    const asked = found.filter(({ listed }) => listed === null).map(({ full }) => full)
    const denied = found.find(({ listed }) => listed?.allowed === false)?.listed
    if (denied != null) {
      const decisions = found.map(({ full: { key, ...item }, listed }) => listed ?? limits.peek(key, item))
      const { key: deniedKey, policy: deniedPolicy } = denied
      return { allowed: false, deniedKey, deniedPolicy, decisions: await Promise.all(decisions) }
    }
    if (asked.length === 0) {
      return { allowed: true, deniedKey: null, deniedPolicy: null, decisions: found.map(({ listed }) => listed!) }
    }
    const all = await limits.checkAll(asked)
    const answers = all.decisions.values()
    return { ...all, decisions: found.map(({ listed }) => listed ?? answers.next().value!) }
  }

  /** A group charges all its limits, and none where one of them was removed. A key on the lists is charged nothing. */
  async function charge(key: string, units: number, choice: LimitChoice = {}): Promise<void> {
    requireChoice("charge", choice)
    requireUnits(units)
    const group = choice.limit === undefined ? undefined : config.groups.get(choice.limit)
    const of = group ?? (await limitFor(key, choice.limit))
    if (of !== undefined && accessOf(of, unprefixed(key)) !== "limit") return
    if (group === undefined) return limits.charge(key, units, choice)
    const names = group.limits.map(({ name }) => name)
    await Promise.all(names.map(requireLimit))
    await Promise.all(names.map((limit) => limits.charge(key, units, { limit })))
  }

  async function requireLimit(name: string): Promise<void> {
    if ((await limits.limit(name)) === null) throw new LimitNotFound(name)
  }

  async function explain(key: string, options: Omit<Asked, "id"> = {}): Promise<Explanation> {
    costToExplain(key, options)
    const of = await limitFor(key, options.limit)
    const cost = options.cost ?? of?.cost
    const found = await limits.explain(key, cost === undefined ? options : { ...options, cost })
    const access = of === undefined ? "limit" : accessOf(of, unprefixed(key))
    if (access === "limit") return found
    const because = `The configuration's ${access} list has the key.`
    const decision = listedDecision(access, found.policy, key, found.decision.cost)
    return { ...found, because, decision, nextAdmissionAtMs: nextAdmissionAtMs(decision, clock.now()) }
  }

  return {
    async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
      if (config.groups.has(name)) throw unfit("define a limit", "name", name, NAME_OF_NO_GROUP)
      return limits.define(name, policy)
    },
    check: (key: string, options?: Asked) => ask("check", key, options),
    peek: (key: string, options?: Asked) => ask("peek", key, options),
    allow: async (key: string, options?: Asked) => (await ask("check", key, options)).allowed,
    checkAll,
    charge,
    explain,
  }
}
