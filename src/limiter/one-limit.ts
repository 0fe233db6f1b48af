import type { Policy } from "../policy/policy.js"
import { requireKind, TEXT } from "../policy/require-fields.js"
import type { AllOptions, CheckItem, CheckOptions } from "../types/limiter.js"
import { noteOwner } from "./limit-owner.js"
import type { Limiter } from "./limiter.js"
import type { NamedLimits } from "./named-limits.js"
import { CHECKER, itemsOf, refuseOptions, requireCheckOptions, requireOwnItems } from "./require-check-options.js"
import { askFor, isSynchronous } from "./sync-limiter.js"

type OfOneLimit = Omit<Limiter, "policy">

/** One of several named limits as a limiter of its own: its verbs answer at once where those of the limits do. */
export type OneLimit<Limits extends NamedLimits> = {
  /** Whether every verb answers at once, as those of the limits do. */
  readonly isSynchronous: Limits extends { readonly isSynchronous: true } ? true : boolean
} & {
  readonly [Verb in keyof OfOneLimit]: (...told: Parameters<OfOneLimit[Verb]>) => ReturnType<Limits[Verb]>
}

/** One of several named limits as a limiter of its own, with the policy that is in force when it is read. */
export type OneLimitWithPolicy<Limits extends NamedLimits> = OneLimit<Limits> & Pick<Limiter, "policy">

/**
 * One of several named limits by itself, however often it is made: those who wait for it by `acquire` stand in one
 * line.
 *
 * @param name the limit; its checks fail with `LimitNotFound` while there is none, where `of` of a store
 *   throws that at once
 * @throws {RangeError} where the limits are none, or the name is no text
 * @example
 * ```ts
 * import { wrap } from "sluice"
 * import { MemoryLimits, oneLimit } from "sluice/limits"
 *
 * const limits = new MemoryLimits({ limits: { mail: "10/minute" } })
 * const send = wrap(oneLimit(limits, "mail"), (to: string) => `sent to ${to}`, { key: (to) => to })
 * send("ada") // "sent to ada"
 * limits.peek("ada", { limit: "mail" }).remaining // 9
 * ```
 */
export function oneLimit<Limits extends NamedLimits>(limits: Limits, name: string): OneLimit<Limits> {
  requireKind("choose a limit", "limits", limits, CHECKER)
  requireKind("choose a limit", "name", name, TEXT)
  const own = { limit: name }
  const ask =
    <Verb extends "check" | "allow" | "peek">(verb: Verb) =>
    (key: string, options?: CheckOptions) =>
      askFor(limits, () => {
        requireCheckOptions(options)
        return limits[verb](key, { ...options, ...own }) as ReturnType<NamedLimits[Verb]>
      })
  const askAll =
    <Verb extends "checkAll" | "allowAll">(verb: Verb) =>
    (items: readonly CheckItem[], options?: AllOptions) =>
      askFor(limits, () => {
        requireOwnItems(items, name)
        return limits[verb](itemsOf(items, options).map((item) => ({ ...item, ...own }))) as ReturnType<
          NamedLimits[Verb]
        >
      })
  /** A verb that takes no options: nothing may come after its own arguments. */
  const alone =
    <Told extends unknown[], Answer>(act: string, verb: (...told: Told) => Answer) =>
    (...told: Told) =>
      askFor(limits, () => {
        refuseOptions(act, told[verb.length])
        return verb(...told)
      })
  const verbs: OfOneLimit = {
    check: ask("check"),
    allow: ask("allow"),
    peek: ask("peek"),
    checkAll: askAll("checkAll"),
    allowAll: askAll("allowAll"),
    refund: (receipt, units) => limits.refund(receipt, units),
    settle: (receipt, actualCost) => limits.settle(receipt, actualCost),
    charge: alone("charge", (key, units) => limits.charge(key, units, own)),
    block: alone("block", (key, duration) => limits.block(key, duration, own)),
    unblock: alone("unblock", (key) => limits.unblock(key, own)),
    reset: alone("reset", (key) => limits.reset(key, own)),
    status: alone("tell the status", (key) => limits.status(key, own)),
    stats: alone("tell statistics", (key) => limits.stats(key, own)),
  }
  const limiter = { isSynchronous: isSynchronous(limits), ...verbs } as OneLimit<Limits>
  noteOwner(limiter, { limits, name })
  return limiter
}

/**
 * As `oneLimit`, of limits that have the policy in force at hand, which `policyNow` tells.
 *
 * @throws what `policyNow` does where there is no such limit
 */
export function oneLimitWithPolicy<Limits extends NamedLimits>(
  limits: Limits,
  name: string,
  policyNow: () => Policy,
): OneLimitWithPolicy<Limits> {
  policyNow()
  return Object.defineProperty(oneLimit(limits, name), "policy", { get: policyNow }) as OneLimitWithPolicy<Limits>
}
