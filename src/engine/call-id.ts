import { unfit } from "../policy/require-fields.js"
import { show } from "../types/errors.js"

/** Idempotency: how long an admission is told again under its id instead of being charged anew, ms: 5 minutes. */
export const REPEAT_WITHIN_MS = 300_000
/** The most admissions remembered under ids by default; beyond that the oldest is forgotten first. */
export const MAX_IDS = 65_536

const CALL_ID = /^[ -~]{1,64}$/

/** @throws {RangeError} where a call cannot be named so */
export function requireCallId(id: unknown): asserts id is string {
  if (typeof id === "string" && CALL_ID.test(id)) return
  throw unfit("check", "id", id, "1 to 64 printable ASCII characters")
}

/**
 * @throws {RangeError} where a call is repeated with another cost: it is another call then, under an id that is taken.
 * `admitted` is its own property, which an error keeps over RPC
 */
export function requireSameCost(id: string, asked: number, admitted: number): void {
  if (asked === admitted) return
  throw Object.assign(unfit(`check under id ${show(id)}`, "cost", asked, String(admitted)), { admitted })
}

/** What the call was admitted at whose repetition at another cost failed so; `undefined` where it is another error. */
export function admittedCostOf(error: unknown): number | undefined {
  return error instanceof RangeError ? (error as { admitted?: number }).admitted : undefined
}
