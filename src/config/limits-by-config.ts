import { listedDecision } from "../http/access.js"
import { leaveOutReceipt } from "../limiter/decide-all.js"
import { nextAdmissionAtMs } from "../limiter/explain.js"
import { noteCounter, tellWaits } from "../limiter/key-waits.js"
import {
  DEFAULT_LIMIT,
  type Explanation,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
} from "../limiter/named-limits.js"
import { type OneLimit, oneLimit } from "../limiter/one-limit.js"
import {
  costOfChosen,
  costToExplain,
  itemsOf,
  requireChoice,
  requireItems,
  requireUnits,
} from "../limiter/require-check-options.js"
import type { PolicyInput } from "../policy/policy.js"
import { CLOCK, having, requireKind, unfit } from "../policy/require-fields.js"
import { refuseRepeats } from "../policy/require-group.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { LimitNotFound } from "../types/errors.js"
import type { AllDecision, AllOptions, Awaitable, CheckItem, CheckOptions } from "../types/limiter.js"
import { type AskedLimits, askedByName, askedLimits } from "./asked-limits.js"
import { type ByPromise, byPromise } from "./by-promise.js"
import { changePolicies, notUndone, type Policies, policiesOf } from "./change-policies.js"
import type { Config, LimitConfig } from "./config.js"
import { ConfigError } from "./config-error.js"
import { configPolicies, limitsByName } from "./config-policies.js"
import { ConfiguredCalls } from "./configured-calls.js"
import { notConfigured } from "./policy-for.js"
import { requireConfig } from "./require-config.js"

const NAMED_LIMITS = having("limit", "define", "check")
const NAME_OF_NO_GROUP = "a name that no group of the configuration has"

type ChosenCheck = CheckOptions & LimitChoice

/** Named limits as a configuration says. Their verbs answer by promise, whatever the limits do. */
export interface LimitsByConfig extends ByPromise {
  readonly isSynchronous: false
  /**
   * One of the limits or groups by itself, as `oneLimit` makes it. A group is asked, charged and settled; the other
   * verbs are about a limit, and fail for it with a `LimitNotFound` that tells its limits.
   */
  of(name: string): OneLimit<LimitsByConfig>
  /**
   * Defines the policies of another configuration in the limits, where what was used stays used, and goes by it from
   * then on: costs, lists and groups. A limit that it does not have stays in the limits until it is removed. Reloads
   * that are asked for at a time are done one after the other, so that the last is in force whole.
   *
   * Over limits that define when they are called, as those in memory and in a folder do, all of it is in force at one
   * moment, and the promise resolves when it is durable. Elsewhere each policy is in force once its own definition
   * arrived.
   *
   * @throws {RangeError} where it is not what `parseConfig` gives; {ConfigError} where a group has the name of a limit
   * that is there: then nothing has changed. Where a policy could not be defined, the former configuration is in force
   * again, over the policies that were; {StoreUnavailable} where these could not be put back
   */
  reload(config: Config): Promise<void>
}

/** One of several checks at its cost, and what a list decided on its key; `null` where it is on none. */
interface FoundItem {
  readonly item: CheckItem
  /** Whether the caller named no cost. */
  readonly isFree: boolean
  readonly listed: Decision | null
}

/** A configuration as calls go by it. */
interface InForce {
  readonly config: Config
  readonly calls: ConfiguredCalls
  readonly limitsByName: ReadonlyMap<string, LimitConfig>
  /** Whether the limits alone decide as the configuration says. */
  readonly isPlain: boolean
}

/**
 * Named limits that decide as a configuration says where they are asked by name, as a server's are: a limit's cost
 * where a check gives none, its lists of keys, and groups, which are asked for one key of all their limits. The names
 * are those of `configPolicies`; for limits that it does not have, the lists for all limits count.
 *
 * Keys are whole here, the prefix included. `limits` has the configured limits already, and stays whose it is: what is
 * no verb over several limits, such as `close`, is asked of it. A limit cannot be defined under a group's name;
 * `requireGroupNames` sees to those that are there.
 *
 * @param clock what `explain` reckons times from; default the machine's
 * @throws {RangeError} where one of them is something else
 */
export function limitsByConfig(limits: NamedLimits, config: Config, clock: Clock = systemClock): LimitsByConfig {
  requireKind("ask limits", "limits", limits, NAMED_LIMITS)
  requireConfig("ask limits", config)
  requireKind("ask limits", "clock", clock, CLOCK)
  const prepare = (next: Config): InForce => ({
    config: next,
    calls: new ConfiguredCalls(limits, next),
    limitsByName: limitsByName(next),
    isPlain: isPlain(next),
  })
  let inForce = prepare(config)
  const putInForce = async (next: InForce, policies: Policies) => {
    inForce = next
    await changePolicies(limits, policies)
    // A cost or a list may admit sooner than what those who wait were told.
    tellWaits(configured)
  }
  const reload = async (config: Config) => {
    await requireGroupNames(limits, config)
    const next = prepare(config)
    const policies = configPolicies(config)
    const before = { inForce, policies: await policiesOf(limits, policies.keys()) }
    try {
      await putInForce(next, policies)
    } catch (error) {
      await putInForce(before.inForce, before.policies).catch(() => {
        throw notUndone(error)
      })
      throw error
    }
  }
  let reloading = Promise.resolve()
  const configured: LimitsByConfig = {
    ...byPromise(limits, (error) => namingGroup(inForce.config, error)),
    ...verbs(limits, () => inForce, clock),
    isSynchronous: false,
    of: (name) => oneLimit(configured, name),
    async reload(next) {
      requireConfig("reload limits", next)
      const done = reloading.then(() => reload(next))
      // One that fails holds up none after it.
      reloading = done.catch(() => {})
      return done
    },
  }
  noteCounter(configured, limits)
  return configured
}

/**
 * Refuses a configuration with a group of a name that limits have which are there already, in a store say: a check
 * would ask the one, and every other verb the other.
 *
 * @throws {ConfigError} naming the group
 */
export async function requireGroupNames(limits: Pick<NamedLimits, "limit">, { groups }: Config): Promise<void> {
  for (const name of groups.keys()) {
    if ((await limits.limit(name)) !== null) throw groupOfLimit(name)
  }
}

/** The error of a group under whose name the limits have a limit already. */
export function groupOfLimit(name: string): ConfigError {
  const allowed = "a name that no limit of the store has: rename the group, or remove that limit"
  return new ConfigError("a name in groups", name, allowed)
}

/** The error of a limit that the store does not have, where that is the name of a group. */
function namingGroup(config: Config, error: unknown): unknown {
  const isGroup = error instanceof LimitNotFound && error.of === "limit" && config.groups.has(error.limit)
  return isGroup ? notConfigured(config, error.limit) : error
}

function isPlain(config: Config): boolean {
  const hasKeys = ({ allow, deny }: Pick<Config, "allow" | "deny">) => allow.keys.length + deny.keys.length > 0
  return (
    config.groups.size === 0 &&
    !hasKeys(config) &&
    [...config.limits.values()].every((limit) => limit.cost === 1 && !hasKeys(limit))
  )
}

/** Each call goes to its end by the configuration that is in force when it asks the limits. */
function verbs(limits: NamedLimits, current: () => InForce, clock: Clock) {
  /** What of the configuration a call asks; `undefined` where that is a limit of the store alone. */
  async function find(inForce: InForce, key: string, options: ChosenCheck): Promise<AskedLimits | undefined> {
    const { config, isPlain } = inForce
    if (isPlain) return undefined
    const { limit = await nameFor(key) } = options
    const group = config.groups.get(limit)
    if (group === undefined) return findLimit(inForce, key, { ...options, limit })
    return askedLimits(config, group, ({ name }) => ({ key, limit: name }), options.cost)
  }

  /** The name that a call is about which names none. */
  async function nameFor(key: string): Promise<string> {
    return (await limits.limit(key)) === null ? DEFAULT_LIMIT : key
  }

  /** As `find`, of no group. @throws {LimitNotFound} of one */
  async function findLimit(
    { config, limitsByName, isPlain }: InForce,
    key: string,
    options: ChosenCheck,
  ): Promise<AskedLimits | undefined> {
    if (isPlain) return undefined
    const { limit = await nameFor(key) } = options
    if (config.groups.has(limit) && (await limits.limit(limit)) === null) throw notConfigured(config, limit)
    const asked = askedByName(config, limitsByName, { key, limit }, options.cost)
    if (limitsByName.has(limit)) return asked
    // What is on no list, and a limit that there is not, is the store's business alone.
    return asked.access === "limit" || (await limits.limit(limit)) === null ? undefined : asked
  }

  /**
   * Finds what a call asks, and asks it before another configuration can be put in force: where one was meanwhile, it
   * is found anew, so that no cost of the one is asked of a policy of the other.
   */
  async function asking<Found, Answer>(
    find: (inForce: InForce) => Promise<Found>,
    ask: (found: Found, inForce: InForce) => Awaitable<Answer>,
  ): Promise<Answer> {
    for (;;) {
      const inForce = current()
      const found = await find(inForce)
      if (inForce === current()) return ask(found, inForce)
    }
  }

  async function ask(verb: "check" | "peek", key: string, options: ChosenCheck = {}): Promise<Decision> {
    costOfChosen(key, options)
    const { id, cost } = options
    const inForce = current()
    if (inForce.isPlain && id === undefined) return limits[verb](key, options)
    const item = { key, ...options }
    return asking(
      (inForce) => find(inForce, key, options),
      (asked, { calls }) =>
        asked === undefined
          ? askStore(verb, { item, isFree: cost === undefined }, calls)
          : calls.decide(verb, asked, options),
    )
  }

  /** Asks for what the configuration gives no cost any more, or has found one for already. */
  function askStore(
    verb: "check" | "peek",
    { item, isFree }: Pick<FoundItem, "item" | "isFree">,
    calls: ConfiguredCalls,
  ): Awaitable<Decision> {
    const askFor = ({ key, ...options }: CheckItem) => limits[verb](key, options)
    if (item.id === undefined || !isFree) return askFor(item)
    return calls.askAsAdmitted([item], ([asked]) => askFor(asked!))
  }

  async function checkAll(asked: readonly CheckItem[], options?: AllOptions): Promise<AllDecision> {
    requireItems(asked)
    const items = itemsOf(asked, options)
    if (current().isPlain && items.every(({ id }) => id === undefined)) return limits.checkAll(items)
    // Keys on a list are asked of nobody, who would refuse them.
    refuseRepeats(items.map(({ key, limit }) => ({ subject: `${limit ?? ""}\n${key}`, key })))
    return asking((inForce) => Promise.all(items.map((item) => findItem(inForce, item))), decideFound)
  }

  async function findItem(inForce: InForce, item: CheckItem): Promise<FoundItem> {
    const asked = await findLimit(inForce, item.key, item)
    const isFree = item.cost === undefined
    if (asked === undefined) return { item, isFree, listed: null }
    return { item: { ...item, cost: asked.items[0].cost }, isFree, listed: await inForce.calls.decideListed(asked) }
  }

  /** Keys that are allowed are not asked for; one that is denied denies all. */
  async function decideFound(found: readonly FoundItem[], { calls }: InForce): Promise<AllDecision> {
    const denied = found.find(({ listed }) => listed?.allowed === false)?.listed
    if (denied != null) {
      const decisions = found.map((each) => each.listed ?? askStore("peek", each, calls))
      const { key: deniedKey, policy: deniedPolicy } = denied
      return { allowed: false, deniedKey, deniedPolicy, decisions: (await Promise.all(decisions)).map(leaveOutReceipt) }
    }
    const counted = found.filter(({ listed }) => listed === null)
    if (counted.length === 0) {
      return { allowed: true, deniedKey: null, deniedPolicy: null, decisions: found.map(({ listed }) => listed!) }
    }
    const all = await calls.askAsAdmitted(
      counted.map(({ item }) => item),
      (items) => limits.checkAll(items),
      (index) => counted[index]!.isFree,
    )
    const answers = all.decisions.values()
    return { ...all, decisions: found.map(({ listed }) => listed ?? answers.next().value!) }
  }

  async function charge(key: string, units: number, choice: LimitChoice = {}): Promise<void> {
    requireChoice("charge", choice)
    requireUnits(units)
    return asking(
      (inForce) => find(inForce, key, choice),
      (asked, { calls }) => (asked === undefined ? limits.charge(key, units, choice) : calls.charge(asked, units)),
    )
  }

  async function explain(key: string, options: Omit<ChosenCheck, "id"> = {}): Promise<Explanation> {
    costToExplain(key, options)
    const asked = await findLimit(current(), key, options)
    if (asked === undefined) return limits.explain(key, options)
    const { cost } = asked.items[0]
    const found = await limits.explain(key, { ...options, cost })
    if (asked.access === "limit") return found
    const because = `The configuration's ${asked.access} list has the key.`
    const decision = listedDecision(asked.access, found.policy, key, cost)
    return { ...found, because, decision, nextAdmissionAtMs: nextAdmissionAtMs(decision, clock.now()) }
  }

  return {
    async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
      if (current().config.groups.has(name)) throw unfit("define a limit", "name", name, NAME_OF_NO_GROUP)
      return limits.define(name, policy)
    },
    check: (key: string, options?: ChosenCheck) => ask("check", key, options),
    peek: (key: string, options?: ChosenCheck) => ask("peek", key, options),
    allow: async (key: string, options?: ChosenCheck) => (await ask("check", key, options)).allowed,
    checkAll,
    allowAll: async (items: readonly CheckItem[], options?: AllOptions) => (await checkAll(items, options)).allowed,
    charge,
    explain,
  }
}
