import { checkKind, TEXT } from "../policy/check-fields.js"
import type { CheckOptions } from "../types/limiter.js"
import { CHECKER, requireCheckOptions } from "./check-options.js"
import { noteOwner } from "./limit-owner.js"
import type { NamedLimits } from "./named-limits.js"
import type { SettlingChecker } from "./permit.js"
import { askFor, isSynchronous } from "./sync-limiter.js"

/** One of several named limits, as a limiter for `acquire`, `wrap`, `limited`, `checkAll`, middleware and stores. */
export interface OneLimit<Limits extends NamedLimits> extends SettlingChecker {
  /** Whether every verb answers at once, as those of the limits do. */
  readonly isSynchronous: Limits extends { readonly isSynchronous: true } ? true : boolean
  check(key: string, options?: CheckOptions): ReturnType<Limits["check"]>
  peek(key: string, options?: CheckOptions): ReturnType<Limits["peek"]>
  refund: Limits["refund"]
  settle: Limits["settle"]
  charge(key: string, units: number): ReturnType<Limits["charge"]>
  reset(key: string): ReturnType<Limits["reset"]>
}

/**
 * One of several named limits by itself, however often it is made: those who wait for it by `acquire` stand in one line.
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
  checkKind("choose a limit", "limits", limits, CHECKER)
  checkKind("choose a limit", "name", name, TEXT)
  const ask = <Verb extends "check" | "peek">(verb: Verb, key: string, options: CheckOptions | undefined) =>
    askFor(limits, () => {
      requireCheckOptions(options)
      return limits[verb](key, { ...options, limit: name }) as ReturnType<Limits[Verb]>
    })
  const limiter: OneLimit<Limits> = {
    isSynchronous: isSynchronous(limits) as OneLimit<Limits>["isSynchronous"],
    check: (key, options) => ask("check", key, options),
    peek: (key, options) => ask("peek", key, options),
    refund: ((receipt, units) => limits.refund(receipt, units)) as Limits["refund"],
    settle: ((receipt, actualCost) => limits.settle(receipt, actualCost)) as Limits["settle"],
    charge: (key, units) => limits.charge(key, units, { limit: name }) as ReturnType<Limits["charge"]>,
    reset: (key) => limits.reset(key, { limit: name }) as ReturnType<Limits["reset"]>,
  }
  noteOwner(limiter, { limits, name })
  return limiter
}
