import { unasked } from "../src/http/unasked.js"
import { leaveOutReceipt } from "../src/limiter/decide-all.js"
import type { Decision } from "../src/types/decision.js"
import type { CheckPart } from "./check-part.js"
import type { CallManner, ObjectStub } from "./object-calls.js"
import type { ObjectParts } from "./parts-by-object.js"

/**
 * What checks of one object would be told, charging nothing: to be shown beside the denial of another. It is
 * remembered. What cannot be had is not known, so this never fails.
 */
export async function lookBeside(parts: ObjectParts["parts"], manner: CallManner): Promise<readonly Decision[]> {
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

/**
 * What a look told lately, if only that it got no answer. What was admitted under an id is told again, which says
 * nothing of other checks.
 */
export function findBeside({ denialCache, cacheName, policy, check: { id, cost } }: CheckPart): Decision | null {
  return id === undefined ? (denialCache?.looks.find(cacheName, policy, cost) ?? null) : null
}

/** Remembers what a check was told, as if by a look. */
export function noteBeside({ denialCache, cacheName, policy, check: { id } }: CheckPart, decision: Decision): void {
  if (id === undefined) denialCache?.looks.note(cacheName, policy, decision)
}

/** Of a key that was not asked. Nobody may take its numbers for those of the key, which the reason tells. */
export function unknownDecision({ policy, check: { subject, cost } }: CheckPart): Decision {
  return unasked("fail-open", { policy, key: subject.key, cost })
}
