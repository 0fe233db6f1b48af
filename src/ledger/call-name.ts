import { requireCallId } from "../engine/call-id.js"

/** The most admissions remembered of calls that sluice named; beyond that the oldest is forgotten first. */
export const MAX_INTERNAL_CALLS = 8_192

/** Begins such a name in a record: no caller's id can. */
const MARK = "\t"

/**
 * A call that sluice names, so that it can make it again when the answer is lost. It does so at once, so few need be
 * remembered: apart from those that callers named, which they may repeat for minutes, and which these must not push
 * out.
 */
export class InternalCall {
  readonly id: string

  /** @param id as a caller's */
  constructor(id: string) {
    this.id = id
  }
}

/** What names a call: an id of the caller's, or sluice. */
export type CallName = string | InternalCall

/** The name as records and snapshots have it. */
export function recordedName(name: CallName): string {
  return name instanceof InternalCall ? `${MARK}${name.id}` : name
}

/** Whether a name of a record is one that sluice gave. */
export function isInternalName(recorded: string): boolean {
  return recorded.startsWith(MARK)
}

/** @throws {RangeError} where sluice did not name a call so */
export function requireInternalName(recorded: unknown): void {
  requireCallId(String(recorded).slice(MARK.length))
}
