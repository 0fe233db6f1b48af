import { listedDecision } from "../http/access.js"
import { whenAllAnswered, whenAnswered, whenFailed } from "../lib/awaitable.js"
import { noteLimitNames } from "../limiter/limit-names.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import { admittedCostOf } from "../limiter/require-check-options.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { LimitNotFound } from "../types/errors.js"
import type { Awaitable, CheckItem, CheckOptions } from "../types/limiter.js"
import type { AskedLimits } from "./asked-limits.js"
import type { Config } from "./config.js"
import { configPolicies } from "./config-policies.js"
import { groupDecision } from "./group-decision.js"

/** An item of a limit that is named. */
type NamedItem = CheckItem & { readonly limit: string }

/** Answers what is asked of a configuration by the limits that count it: at once, or by promise, as they do. */
export class ConfiguredCalls {
  readonly #limits: NamedLimits
  readonly #configured: ReadonlyMap<string, Policy>

  constructor(limits: NamedLimits, config: Config) {
    this.#limits = limits
    this.#configured = configPolicies(config)
  }

  /**
   * Keys on the lists are not counted. Of a group all limits admit, or none is charged; each remembers the call's id as
   * if it had been asked alone.
   *
   * @param options the call's own, without the configured cost
   */
  decide(verb: "check" | "peek", asked: AskedLimits, { id, cost }: CheckOptions): Awaitable<Decision> {
    return whenAnswered(this.decideListed(asked), (listed) => {
      if (listed !== null) return listed
      if (id === undefined) return this.#decideItems(verb, asked, asked.items)
      const items = asked.items.map((item) => ({ ...item, id }))
      const ask = (each: readonly NamedItem[]) => this.#decideItems(verb, asked, each)
      return cost === undefined ? this.askAsAdmitted(items, ask) : ask(items)
    })
  }

  /**
   * Asks under ids, at costs that the callers did not name. Where one was admitted at another cost, before the
   * configuration changed say, it is asked at that one, and so told again.
   *
   * @param isFree whether the caller named no cost for an item; default none
   */
  askAsAdmitted<Item extends CheckItem, Answer>(
    items: readonly Item[],
    ask: (items: readonly Item[]) => Awaitable<Answer>,
    isFree: (index: number) => boolean = () => true,
  ): Awaitable<Answer> {
    return whenFailed(
      () => ask(items),
      (error) => {
        if (admittedCostOf(error) === undefined) throw error
        const asAdmitted = items.map((item, index) => (isFree(index) ? this.#asAdmitted(item) : item))
        return whenAllAnswered(asAdmitted, ask)
      },
    )
  }

  /** The item at the cost at which it was admitted under its id, where that was another one. */
  #asAdmitted<Item extends CheckItem>(item: Item): Awaitable<Item> {
    const { key, ...options } = item as CheckItem
    return whenFailed<Item>(
      () => whenAnswered(this.#limits.peek(key, options), () => item),
      (error) => {
        const cost = admittedCostOf(error)
        if (cost === undefined) throw error
        return { ...item, cost }
      },
    )
  }

  /** What the lists decide; `null` where the keys are on none. */
  decideListed({ access, items }: AskedLimits): Awaitable<Decision | null> {
    if (access === "limit") return null
    const [{ key, cost }] = items
    return whenAnswered(this.#policiesInForce(items), ([policy]) => listedDecision(access, policy!, key, cost))
  }

  /**
   * Takes units of every limit asked or, where one of them cannot be charged, of none. Keys on the lists lose nothing.
   */
  charge({ access, items }: AskedLimits, units: number): Awaitable<void> {
    if (access !== "limit") return
    const charge = () =>
      whenAllAnswered(
        items.map(({ key, limit }) => this.#limits.charge(key, units, { limit })),
        () => {},
      )
    // What one of several cannot take is heard of before another one is charged.
    return items.length === 1
      ? charge()
      : whenAnswered(this.#peekEach(items.map((item) => ({ ...item, cost: 0 }))), charge)
  }

  #decideItems(verb: "check" | "peek", { isGroup }: AskedLimits, items: readonly NamedItem[]): Awaitable<Decision> {
    if (isGroup) return this.#decideGroup(verb, items)
    const { key, ...options } = items[0]!
    return this.#limits[verb](key, options)
  }

  #decideGroup(verb: "check" | "peek", items: readonly NamedItem[]): Awaitable<Decision> {
    const asked =
      verb === "peek" ? this.#peekEach(items) : whenAnswered(this.#limits.checkAll(items), ({ decisions }) => decisions)
    return whenAnswered(asked, (decisions) =>
      whenAnswered(this.#policiesInForce(items), (policies) => {
        const decision = groupDecision(policies, decisions)
        noteLimitNames(
          decision,
          items.map(({ limit }) => limit),
        )
        return decision
      }),
    )
  }

  #peekEach(items: readonly NamedItem[]): Awaitable<readonly Decision[]> {
    return whenAllAnswered(
      items.map(({ key, ...options }) => this.#limits.peek(key, options)),
      (decisions) => decisions,
    )
  }

  /** @throws {LimitNotFound} where a limit that was defined elsewhere is no more there */
  #configuredPolicy(limit: string): Policy {
    const policy = this.#configured.get(limit)
    if (policy === undefined) throw new LimitNotFound(limit)
    return policy
  }

  /**
   * The limits' policies: the configured one only where a limit was removed, since others may have been defined anew.
   */
  #policiesInForce(items: readonly NamedItem[]): Awaitable<readonly Policy[]> {
    return whenAllAnswered(
      items.map(({ limit }) => this.#limits.limit(limit)),
      (found) => items.map(({ limit }, index) => found[index]?.policy ?? this.#configuredPolicy(limit)),
    )
  }
}
