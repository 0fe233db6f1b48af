import { chargeTogether, type Party } from "../src/edge/charge-together.js"
import type { DenialCache } from "../src/edge/denial-cache.js"
import { receiveDecision } from "../src/edge/denial-terms.js"
import { unasked } from "../src/http/unasked.js"
import { withDeadline } from "../src/http/with-deadline.js"
import { requireItems } from "../src/limiter/check-options.js"
import { allDecision, leaveOutReceipt } from "../src/limiter/decide-all.js"
import { checkKind, having, type Kind } from "../src/policy/check-fields.js"
import type { Policy } from "../src/policy/policy.js"
import { refuseRepeats } from "../src/policy/require-group.js"
import type { Decision } from "../src/types/decision.js"
import type { AllDecision } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { type CallManner, type ObjectCalls, type ObjectStub, TOGETHER_TIMEOUT_MS } from "./object-calls.js"
import type { SubjectCheck } from "./subject.js"

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

/** One check, as its limiter would send it. */
export interface CheckPart {
  readonly binding: object
  readonly calls: ObjectCalls
  readonly object: string
  readonly scope: string
  readonly check: SubjectCheck
  readonly timeoutMs: number | undefined
  readonly policy: Policy
  /** Where denials are remembered, if they are, and what the key is called there: it has no other name in its binding. */
  readonly denialCache: DenialCache | null
  readonly cacheName: string
  /** Lets work go on when this is answered. */
  readonly background: (work: Promise<unknown>) => void
}

/** A limiter that leaves the sending of a check to others. */
export interface PartSource {
  /** @throws {CostError} {KeyError} {RangeError} */
  partOf(item: Omit<AcrossItem, "limiter">): CheckPart
}

/** How several limits are decided. */
export interface AcrossOptions {
  /**
   * The longest time that what is admitted may be held, if above 0: where it would be held for longer nothing is charged,
   * and the decision that says so is an admission with that delay.
   */
  readonly maxDelayMs?: number
  /**
   * Whether it is looked at keys of which nothing is known, where it is known that another one denies; default true, for
   * some objects of each denial. If not, nothing is told of them, and such a denial costs no call.
   */
  readonly looksBeside?: boolean
}

/** Checks of one object. */
interface Group {
  readonly places: number[]
  readonly parts: [CheckPart, ...CheckPart[]]
}

/** How long a look beside a denial that is known may take, ms: without the look it would be told at once. */
const BESIDE_TIMEOUT_MS = 500

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
 * A denial that is known from before is told without asking for its key, where its item has no id. At the other keys it
 * is looked, in one call to each object, unless that was done for the same check lately. A key that does not answer within
 * half a second, or that is none of the first 16 objects that are looked at beside this denial in ten seconds, is told
 * with the reason `fail-open`: nothing is known of it.
 *
 * Each call that charges has an id and is made again once where it fails, so that a lost answer does not charge twice. What was
 * admitted under an item's own id before is told again, and is not given back by a call that only repeats it. Whatever
 * happens meanwhile, a key has never more quota than it should; what was charged in vain comes back as time passes.
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
export async function checkAcross(items: readonly AcrossItem[]): Promise<AllDecision> {
  return (await decideAcross(items)).all
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
): Promise<{ readonly all: AllDecision; readonly isDecided: readonly boolean[] }> {
  const { parts, groups } = partsOf(items, maxDelayMs)
  const denials = parts.map(findDenial)
  if (denials.some((denial) => denial !== null) || isKnownToHold(parts)) {
    const known = parts.map((part, index) => denials[index] ?? findHeld(part))
    const told = parts.map((part, index) => known[index] ?? findBeside(part))
    const decisions = await completed(told, parts, looksBeside ? groupsToLookAt(groups, told, parts, denials) : [])
    const isDecided = known.map((decision) => decision !== null)
    return { all: { ...allDecision(decisions, isDecided), allowed: false }, isDecided }
  }
  const id = crypto.randomUUID()
  const answers = await chargeTogether(groups.map((group, index) => partyOf(group, `${id}.${index}`)))
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

/** Groups of which something is not told yet, as many as may be looked at beside a denial: ever new keys cost no more. */
function groupsToLookAt(
  groups: readonly Group[],
  told: readonly (Decision | null)[],
  parts: readonly CheckPart[],
  denials: readonly (Decision | null)[],
): readonly Group[] {
  const wanted = groups.filter(({ places }) => places.some((place) => told[place] === null))
  const { denialCache, cacheName } = parts[denials.findIndex((denial) => denial !== null)] ?? {}
  return wanted.slice(0, denialCache?.looks.take(cacheName!, wanted.length) ?? 0)
}

/** Decisions of which some are missing: those that an object of `groups` has are looked at, of others nothing is told. */
async function completed(
  decisions: readonly (Decision | null)[],
  parts: readonly CheckPart[],
  groups: readonly Group[],
): Promise<readonly Decision[]> {
  const complete = parts.map((part, index) => decisions[index] ?? unknownDecision(part))
  const looks = groups.map(async ({ places }) => {
    const [first, ...others] = places.filter((place) => decisions[place] === null)
    if (first === undefined) return
    const missing: Group["parts"] = [parts[first]!, ...others.map((place) => parts[place]!)]
    const timeoutMs = Math.min(missing[0].timeoutMs ?? BESIDE_TIMEOUT_MS, BESIDE_TIMEOUT_MS)
    const looked = await lookAt(missing, { repeatable: false, timeoutMs })
    for (const [index, place] of [first, ...others].entries()) complete[place] = looked[index]!
  })
  await Promise.all(looks)
  return complete
}

/** What parts of one object would be told, charging nothing. What cannot be had is not known, so this never fails. */
async function lookAt(parts: Group["parts"], manner: CallManner): Promise<readonly Decision[]> {
  const [{ object, calls }] = parts
  const checks = parts.map(({ check }) => check)
  const look = (stub: ObjectStub) => stub.peekAll(checks) as Promise<(Decision | null)[]>
  const looked = await calls.call(object, look, manner).catch(() => [])
  return parts.map((part, index) => {
    const decision = looked[index]
    const told = decision ? leaveOutReceipt(decision) : unknownDecision(part)
    noteBeside(part, told)
    return told
  })
}

/** Of a key that was not asked. Nobody may take its numbers for those of the key, which the reason tells. */
function unknownDecision({ policy, check: { subject, cost } }: CheckPart): Decision {
  return unasked("fail-open", { policy, key: subject.key, cost })
}

/** The denial of a part that is known without a call. */
function findDenial({ denialCache, cacheName, policy, check: { id, cost } }: CheckPart): Decision | null {
  // What was admitted under an id is told again whatever came since.
  return id === undefined ? (denialCache?.find(cacheName, policy, cost) ?? null) : null
}

/**
 * Whether one part is known to be held for too long, and what the others say is known too: unlike a denial, a hold must
 * not be told for a limit that was not asked lately, which may deny for much longer.
 */
function isKnownToHold(parts: readonly CheckPart[]): boolean {
  return parts.some(isHeld) && parts.every((part) => isHeld(part) || findBeside(part)?.reason === "ok")
}

function isHeld({ denialCache, cacheName, policy, check: { cost, maxDelayMs } }: CheckPart): boolean {
  return maxDelayMs !== undefined && denialCache?.holds.isHeld(cacheName, policy, cost, maxDelayMs) === true
}

function findHeld({ denialCache, cacheName, policy, check: { cost, maxDelayMs } }: CheckPart): Decision | null {
  return maxDelayMs === undefined ? null : (denialCache?.holds.find(cacheName, policy, cost, maxDelayMs) ?? null)
}

/** What a look told lately, if only that it got no answer. What was admitted under an id is told again, which says nothing of other checks. */
function findBeside({ denialCache, cacheName, policy, check: { id, cost } }: CheckPart): Decision | null {
  return id === undefined ? (denialCache?.looks.find(cacheName, policy, cost) ?? null) : null
}

function noteBeside({ denialCache, cacheName, policy, check: { id } }: CheckPart, decision: Decision): void {
  if (id === undefined) denialCache?.looks.note(cacheName, policy, decision)
}

function partsOf(
  items: readonly AcrossItem[],
  maxDelayMs: number,
): { readonly parts: readonly CheckPart[]; readonly groups: Group[] } {
  const bindings = new Map<object, number>()
  const numberOf = (binding: object) => {
    if (!bindings.has(binding)) bindings.set(binding, bindings.size)
    return bindings.get(binding)
  }
  requireItems(items, ["limiter", "key", "cost", "id"])
  const parts = items.map(({ limiter, ...item }, index) => {
    checkKind("check all", `items[${index}].limiter`, limiter, LIMITER)
    const part = limiter.partOf(item)
    return maxDelayMs > 0 ? { ...part, check: { ...part.check, maxDelayMs } } : part
  })
  const names = parts.map(({ binding, scope, object }) => `${numberOf(binding)} ${scope}${object}`)
  refuseRepeats(
    parts.map(({ binding, cacheName, check }) => ({
      subject: `${numberOf(binding)} ${cacheName}`,
      key: check.subject.key,
    })),
  )
  const groups = new Map<string, Group>()
  for (const [place, part] of parts.entries()) {
    const group = groups.get(names[place]!)
    if (group === undefined) groups.set(names[place]!, { places: [place], parts: [part] })
    else {
      group.places.push(place)
      group.parts.push(part)
    }
  }
  return { parts, groups: [...groups.values()] }
}

function partyOf({ parts }: Group, id: string): Party {
  const [{ object, calls, background, timeoutMs = TOGETHER_TIMEOUT_MS }] = parts
  const checks = parts.map(({ check }) => check)

  async function refund(receipt: Receipt, item: number): Promise<void> {
    const { check, denialCache, cacheName } = parts[item]!
    // Under an id of its own it may have been told to another call meanwhile, which the object knows.
    const call = check.id === undefined ? undefined : id
    const settle = (stub: ObjectStub) => stub.settle(check.subject, receipt, receipt.cost, call)
    // What was denied while the charge stood may pass now.
    denialCache?.forget(cacheName)
    try {
      await calls.call(object, settle, { repeatable: true, timeoutMs })
    } finally {
      denialCache?.forget(cacheName)
    }
  }

  /** What an object charged after its time, when nobody waited for it any more. */
  async function giveBackLate(answer: Promise<AllDecision>): Promise<void> {
    const { decisions } = await answer
    await Promise.allSettled(decisions.map(async ({ receipt }, item) => receipt && (await refund(receipt, item))))
  }

  return {
    blocks: parts.some(({ policy }) => policy.blockMs > 0),

    async charge() {
      const ask = (stub: ObjectStub) => stub.checkAll(checks, id) as Promise<AllDecision>
      const tickets = parts.map(({ denialCache }) => denialCache?.ticket())
      const answer = calls.call(object, ask, { repeatable: true })
      try {
        const told = await withDeadline(answer, timeoutMs)
        const decisions = told.decisions.map(receiveDecision)
        for (const [index, { denialCache, cacheName, policy }] of parts.entries()) {
          denialCache?.note(cacheName, policy, decisions[index]!, tickets[index]!)
        }
        return { ...told, decisions }
      } catch (error) {
        // Where the answer was an error it tells of no charge.
        background(giveBackLate(answer).catch(() => undefined))
        throw error
      }
    },

    peek: async () => allDecision(await lookAt(parts, { repeatable: true, timeoutMs })),

    refund,
  }
}
