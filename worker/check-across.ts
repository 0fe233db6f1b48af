import { chargeTogether } from "../src/edge/charge-together.js"
import { allDecision } from "../src/limiter/decide-all.js"
import { itemsOf, requireItems } from "../src/limiter/require-check-options.js"
import { having, type Kind, requireKind } from "../src/policy/require-fields.js"
import type { Decision } from "../src/types/decision.js"
import type { AllDecision, AllOptions } from "../src/types/limiter.js"
import type { CheckPart, PartSource } from "./check-part.js"
import { type AcrossDecision, decideKnown } from "./decide-known.js"
import { noteBeside } from "./look-beside.js"
import { ObjectParty } from "./object-party.js"
import { partsByObject } from "./parts-by-object.js"

/** One of the checks that `checkAcross` decides together. */
export interface AcrossItem {
  /** An `EdgeLimiter`. */
  readonly limiter: PartSource
  readonly key: string
  /** Units to charge, 0 … 2^31; default 1. */
  readonly cost?: number | undefined
  /** Names this item's check, as that of `CheckItem`. */
  readonly id?: string | undefined
}

/** How several limits are decided. */
export interface AcrossOptions {
  /**
   * The longest time that what is admitted may be held, if above 0: where it would be held for longer nothing is
   * charged, and the decision that says so is an admission with that delay.
   */
  readonly maxDelayMs?: number
  /**
   * Whether keys of which nothing is known are looked up when another is known to deny; default true, in some of their
   * objects for each denial. If not, nothing is told of them, and such a denial costs no call.
   */
  readonly looksBeside?: boolean
}

const LIMITER: Kind = { ...having("partOf"), allowed: "an EdgeLimiter" }

/**
 * Checks of several limits, all or nothing: charged at the same time, in one round trip where all are admitted. Where
 * one is denied, or an object does not answer, what the others charged is given back before this returns. Checks of the
 * same object, such as those of one `owner`, are one transaction.
 *
 * Limits whose policy has a `block` are charged one after the other, in the order of the items, when all others were
 * admitted: a charge that is given back may deny somebody meanwhile, and would block its key. One that was not asked
 * begins no block either.
 *
 * A denial that is known from before is told without asking for its key, where neither its item nor the call has an id.
 * The other keys are looked up, in one call to each object, unless that was done for the same check lately. A key that
 * does not answer within half a second, or is in none of the first 16 objects that are asked beside this denial in ten
 * seconds, is told with the reason `fail-open`: nothing is known of it.
 *
 * Each call that charges has an id and is made again once where it fails, so that a lost answer does not charge twice.
 * What was admitted before under an id of the caller's is told again, and is not given back by a call that only repeats
 * it. Whatever happens meanwhile, a key has never more quota than it should; what was charged in vain comes back as
 * time passes.
 *
 * @throws {RangeError} where the items are none or more than 1,000, or one key of one limit comes twice; {CostError}
 * {KeyError} before any call; {StoreUnavailable} {StoreCorrupt} {StoreVersion} where an object did not decide, and
 * {CostError} of an item with an `id`, whose object alone can tell: then what the others charged was given back
 * @example
 * ```ts
 * import { checkAcross, EdgeLimiter, LimiterObject } from "sluice/worker"
 *
 * export { LimiterObject }
 * export default {
 *   async fetch(request: Request, env: { LIMITER: DurableObjectNamespace<LimiterObject> }) {
 *     const perUser = new EdgeLimiter(env.LIMITER, "10/minute as user")
 *     const perTeam = new EdgeLimiter(env.LIMITER, "100/minute as team")
 *     const { allowed } = await checkAcross([
 *       { limiter: perUser, key: "ann" },
 *       { limiter: perTeam, key: "red" },
 *     ])
 *     return new Response(null, { status: allowed ? 204 : 429 })
 *   },
 * }
 * ```
 */
export async function checkAcross(items: readonly AcrossItem[], options?: AllOptions): Promise<AllDecision> {
  requireItems(items, ["limiter", "key", "cost", "id"])
  return (await decideAcross(itemsOf(items, options))).all
}

/**
 * `checkAcross`, and which of the items decided it. The others were only looked at beside a denial, and may be denied
 * too: where what they charged could not be given back, or somebody else took what was left.
 *
 * @internal
 */
export async function decideAcross(
  items: readonly AcrossItem[],
  { maxDelayMs = 0, looksBeside = true }: AcrossOptions = {},
): Promise<AcrossDecision> {
  const parts = partsOf(items, maxDelayMs)
  const groups = partsByObject(parts)
  const known = decideKnown(parts, groups, { looksBeside })
  if (known !== null) return known
  const id = crypto.randomUUID()
  const answers = await chargeTogether(groups.map((group, index) => new ObjectParty(group.parts, `${id}.${index}`)))
  const decisions: Decision[] = []
  const isDecided: boolean[] = []
  for (const [index, { places }] of groups.entries()) {
    for (const [at, place] of places.entries()) {
      decisions[place] = answers[index]!.answer.decisions[at]!
      isDecided[place] = answers[index]!.isDecided
    }
  }
  const told = allDecision(decisions, isDecided)
  // One that would be held for too long admits all the same.
  const all = answers.every(({ answer }) => answer.allowed) ? told : { ...told, allowed: false }
  // A hold that is known is told beside what the other limits say: it needs their admissions too.
  if (all.allowed && maxDelayMs === 0) return { all, isDecided }
  for (const [index, part] of parts.entries()) {
    if (isDecided[index] && decisions[index]!.allowed) noteBeside(part, decisions[index]!)
  }
  return { all, isDecided }
}

/** The checks as their limiters would send them. */
function partsOf(items: readonly AcrossItem[], maxDelayMs: number): readonly CheckPart[] {
  return items.map(({ limiter, ...item }, index) => {
    requireKind("check all", `items[${index}].limiter`, limiter, LIMITER)
    const part = limiter.partOf(item)
    return maxDelayMs > 0 ? { ...part, check: { ...part.check, maxDelayMs } } : part
  })
}
