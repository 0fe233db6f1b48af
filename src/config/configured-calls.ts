import { GroupAdmissions, type GroupCall, toldAgain } from "../limiter/group-admissions.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import { whenAllAnswered, whenAnswered } from "../limiter/when-answered.js"
import type { Policy } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { Awaitable } from "../types/limiter.js"
import { listedDecision } from "./access.js"
import { type AskedLimits, groupCall } from "./asked-limits.js"
import type { Config } from "./config.js"
import { configPolicies } from "./config-policies.js"
import { groupDecision } from "./group-decision.js"

type Items = AskedLimits["items"]

/** Answers what is asked of a configuration by the limits that count it: at once, or by promise, as they do. */
export class ConfiguredCalls {
  readonly #limits: NamedLimits
  readonly #configured: ReadonlyMap<string, Policy>
  readonly #clock: Clock
  readonly #admissions = new GroupAdmissions()

  /** @param clock how long ids of groups are remembered */
  constructor(limits: NamedLimits, config: Config, clock: Clock) {
    this.#limits = limits
    this.#configured = configPolicies(config)
    this.#clock = clock
  }

  /** Keys on the lists are not counted. Of a group all limits admit, or none is charged. */
  decide(verb: "check" | "peek", asked: AskedLimits, id: string | undefined): Awaitable<Decision> {
    return whenAnswered(this.decideListed(asked), (listed) => {
      if (listed !== null) return listed
      if (asked.group !== null) return this.#decideGroup(verb, asked.items, groupCall(asked, id))
      const [{ key, ...item }] = asked.items
      return this.#limits[verb](key, id === undefined ? item : { ...item, id })
    })
  }

  /** What the lists decide; `null` where the keys are on none. */
  decideListed({ access, items }: AskedLimits): Awaitable<Decision | null> {
    if (access === "limit") return null
    const [{ key, cost }] = items
    return whenAnswered(this.#policiesInForce(items), ([policy]) => listedDecision(access, policy!, key, cost))
  }

  /** Takes units of every limit asked or, where one of them cannot be charged, of none. Keys on the lists lose nothing. */
  charge({ access, items }: AskedLimits, units: number): Awaitable<void> {
    if (access !== "limit") return
    const charge = () =>
      whenAllAnswered(
        items.map(({ key, limit }) => this.#limits.charge(key, units, { limit })),
        () => {},
      )
    // What one of several cannot take is heard of before another one is charged.
    return items.length === 1 ? charge() : whenAnswered(this.#peekEach(items, 0), charge)
  }

  #decideGroup(verb: "check" | "peek", items: Items, call: GroupCall | null): Awaitable<Decision> {
    return whenAnswered(this.#askEach(verb, items, call), (decisions) =>
      whenAnswered(this.#policiesInForce(items), (policies) => groupDecision(policies, decisions)),
    )
  }

  #askEach(verb: "check" | "peek", items: Items, call: GroupCall | null): Awaitable<readonly Decision[]> {
    const admitted = call && this.#admissions.find(call.id, call.key, call.cost, this.#clock.now())
    if (admitted) return whenAnswered(this.#peekEach(items, 0), (now) => toldAgain(admitted, now))
    if (verb === "peek") return this.#peekEach(items)
    const check = () => this.#limits.checkAll(items)
    const all = call === null ? check() : this.#admissions.ask(call, this.#clock, check)
    return whenAnswered(all, ({ decisions }) => decisions)
  }

  /** What questions tell, of the items' costs or of another one. */
  #peekEach(items: Items, inPlace?: number): Awaitable<readonly Decision[]> {
    return whenAllAnswered(
      items.map(({ key, cost, limit }) => this.#limits.peek(key, { cost: inPlace ?? cost, limit })),
      (decisions) => decisions,
    )
  }

  /** The limits' policies: the configured one only where a limit was removed, since others may have been defined anew. */
  #policiesInForce(items: Items): Awaitable<readonly Policy[]> {
    return whenAllAnswered(
      items.map(({ limit }) => this.#limits.limit(limit)),
      (found) => items.map(({ limit }, index) => found[index]?.policy ?? this.#configured.get(limit)!),
    )
  }
}
