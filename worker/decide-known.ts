import { allDecision } from "../src/limiter/decide-all.js"
import type { Decision } from "../src/types/decision.js"
import type { AllDecision } from "../src/types/limiter.js"
import type { CheckPart } from "./check-part.js"
import { findBeside, lookBeside, unknownDecision } from "./look-beside.js"
import type { ObjectParts } from "./parts-by-object.js"

/** What several checks were told. */
export interface AcrossDecision {
  readonly all: AllDecision
  /** Which of the items decided it. The others were only looked at. */
  readonly isDecided: readonly boolean[]
}

/** How long a look beside a denial that is known may take, ms: without the look it would be told at once. */
const BESIDE_TIMEOUT_MS = 500

/**
 * Decides checks of which one is known to be denied, or to be held for too long, and charges nothing. Of the others it
 * is told what is known of them; where `looksBeside`, of some that are not known what a look finds.
 *
 * @param groups the same checks by their objects
 * @returns `null` where nothing is known that decides: all are to be charged
 */
export function decideKnown(
  parts: readonly CheckPart[],
  groups: readonly ObjectParts[],
  { looksBeside }: { readonly looksBeside: boolean },
): Promise<AcrossDecision> | null {
  const denials = parts.map(findDenial)
  if (denials.every((denial) => denial === null) && !isKnownToHold(parts)) return null
  const known = parts.map((part, index) => denials[index] ?? findHeld(part))
  const told = parts.map((part, index) => known[index] ?? findBeside(part))
  const isDecided = known.map((decision) => decision !== null)
  return completed(told, parts, looksBeside ? groupsToLookAt(groups, told, parts, denials) : []).then((decisions) => ({
    all: { ...allDecision(decisions, isDecided), allowed: false },
    isDecided,
  }))
}

/**
 * Groups of which something is not told yet, as many as may be looked at beside a denial: ever new keys cost no more.
 */
function groupsToLookAt(
  groups: readonly ObjectParts[],
  told: readonly (Decision | null)[],
  parts: readonly CheckPart[],
  denials: readonly (Decision | null)[],
): readonly ObjectParts[] {
  const wanted = groups.filter(({ places }) => places.some((place) => told[place] === null))
  const { denialCache, cacheName } = parts[denials.findIndex((denial) => denial !== null)] ?? {}
  return wanted.slice(0, denialCache?.looks.take(cacheName!, wanted.length) ?? 0)
}

/**
 * Decisions of which some are missing: those that an object of `groups` has are looked at, of others nothing is told.
 */
async function completed(
  decisions: readonly (Decision | null)[],
  parts: readonly CheckPart[],
  groups: readonly ObjectParts[],
): Promise<readonly Decision[]> {
  const complete = parts.map((part, index) => decisions[index] ?? unknownDecision(part))
  const looks = groups.map(async ({ places }) => {
    const [first, ...others] = places.filter((place) => decisions[place] === null)
    if (first === undefined) return
    const missing: ObjectParts["parts"] = [parts[first]!, ...others.map((place) => parts[place]!)]
    const timeoutMs = Math.min(missing[0].timeoutMs ?? BESIDE_TIMEOUT_MS, BESIDE_TIMEOUT_MS)
    const looked = await lookBeside(missing, { repeatable: false, timeoutMs })
    for (const [index, place] of [first, ...others].entries()) complete[place] = looked[index]!
  })
  await Promise.all(looks)
  return complete
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
