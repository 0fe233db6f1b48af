import { unfit } from "../policy/require-fields.js"
import { refuseRepeats } from "../policy/require-group.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, Awaitable, Checker } from "../types/limiter.js"
import { type AllPart, allDecision, answersAtOnce, asGivenBack, decideAll } from "./decide-all.js"
import { ownerOf } from "./limit-owner.js"
import { receiptsOf } from "./receipts.js"
import { CHECKER, refuseOptions, requireItems } from "./require-check-options.js"
import type { SyncLimiter } from "./sync-limiter.js"

/** One of the checks that are decided together, each by its own limiter. */
export interface AllItem<L extends Checker = Checker> {
  readonly limiter: L
  readonly key: string
  /** Units to charge, 0 … 2^31; default what a check without a cost takes: 1, or what a configuration says. */
  readonly cost?: number | undefined
}

/**
 * Decides checks of several limiters together: all are charged, or none is.
 *
 * Limiters that answer at once, as `RateLimiter` does, are exact: all are asked before any is charged. The others are
 * charged in parallel, and where one denies, the rest is refunded: so for a moment they hold more than they should, and
 * where a refund fails, its charge stands. That is stricter than it should be, never looser. Of both kinds together,
 * the first kind comes first, and where it denies, the others are not charged: they tell what `peek` says where they
 * have it.
 *
 * It takes no `id`, as `checkAll` of a limiter does: where another limiter denies, it would give back what was told
 * again, and so what an earlier call was admitted.
 *
 * @throws {RangeError} where the items are none or more than 1,000, one has no limiter, or one key and limiter come
 * twice; whatever a limiter throws, after the others' charges were given back
 * @example
 * ```ts
 * import { checkAll, RateLimiter } from "sluice"
 *
 * const perUser = new RateLimiter("10/minute")
 * const perOrg = new RateLimiter("100/minute")
 * const { allowed } = checkAll([
 *   { limiter: perUser, key: "user:42" },
 *   { limiter: perOrg, key: "org:7", cost: 2 },
 * ])
 * allowed // true
 * ```
 */
export function checkAll(items: readonly AllItem<SyncLimiter>[]): AllDecision
export function checkAll(items: readonly AllItem[]): Awaitable<AllDecision>
export function checkAll(items: readonly AllItem[], surplus?: unknown): Awaitable<AllDecision> {
  refuseOptions("check all", surplus)
  requireItems(items, ["limiter", "key", "cost"])
  const numbers = new Map<Checker, number>()
  const parts: Part[] = items.map(({ limiter, key, cost }, index) => {
    if (!CHECKER.fits(limiter)) throw unfit("check all", `items[${index}].limiter`, limiter, CHECKER.allowed)
    const owner = ownerOf(limiter)
    const counter = owner?.limits ?? limiter
    const number = numbers.get(counter) ?? numbers.size
    numbers.set(counter, number)
    // Names are quoted, so that they end where the key begins.
    const under = owner === undefined ? "" : `/${JSON.stringify([owner.name, owner.countedAs?.()])}`
    return { limiter, key, options: cost === undefined ? {} : { cost }, subject: `${number}${under} ${key}` }
  })
  refuseRepeats(parts)
  const immediate = parts.filter(answersAtOnce)
  if (immediate.length === parts.length) return decideAll(immediate)
  return decideInParallel(parts, immediate)
}

type Part = AllPart<Checker>

async function decideInParallel(parts: readonly Part[], immediate: readonly AllPart[]): Promise<AllDecision> {
  const decided = new Map<Part, Decision>()
  let isOpen = true
  if (immediate.length > 0) {
    const first = decideAll(immediate)
    isOpen = first.allowed
    for (const [index, part] of immediate.entries()) decided.set(part, first.decisions[index]!)
  }
  const others = parts.filter((part) => !decided.has(part))
  const answers = await Promise.allSettled(others.map((part) => (isOpen ? check(part) : ask(part))))
  const errors: unknown[] = []
  for (const [index, answer] of answers.entries()) {
    if (answer.status === "fulfilled") decided.set(others[index]!, answer.value)
    else errors.push(answer.reason)
  }
  const decisions = [...decided.values()]
  if (errors.length === 0 && decisions.every(({ allowed }) => allowed)) {
    return allDecision(parts.map((part) => decided.get(part)!))
  }
  await Promise.allSettled(
    [...decided].flatMap(([{ limiter }, decision]) =>
      receiptsOf(decision).map(async (receipt) => limiter.refund(receipt)),
    ),
  )
  if (errors.length > 0) throw errors[0]
  return allDecision(parts.map((part) => asGivenBack(decided.get(part)!)))
}

async function check({ limiter, key, options }: Part): Promise<Decision> {
  return limiter.check(key, options)
}

/** What a limiter would say; one without `peek` is charged for it, and refunded with the others. */
async function ask(part: Part): Promise<Decision> {
  const { peek } = part.limiter as Partial<SyncLimiter>
  return peek === undefined ? check(part) : peek.call(part.limiter, part.key, part.options)
}
