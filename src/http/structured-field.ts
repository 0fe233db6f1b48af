import { show } from "../types/errors.js"

/** The largest Integer of Structured Fields: fifteen digits (RFC 9651, section 3.3.1). */
export const MAX_SF_INTEGER = 999_999_999_999_999

/**
 * A non-negative Integer (RFC 9651, section 4.1.4). What is beyond the range is set to its nearer end, so that an
 * endless wait stays a valid field; a fraction is rounded up.
 *
 * @throws {RangeError} where `value` is no number
 */
export function sfInteger(value: number): string {
  const whole = Math.ceil(value)
  if (Number.isNaN(whole)) throw new RangeError(`Cannot write an Integer field: the value is ${show(value)}.`)
  return String(Math.min(Math.max(whole, 0), MAX_SF_INTEGER))
}

/** Whether a value is a text that a String can carry: printable ASCII. */
export function isSfText(value: unknown): boolean {
  return typeof value === "string" && /^[ -~]*$/.test(value)
}

/**
 * A String (RFC 9651, section 4.1.6): quoted, with `"` and `\` escaped.
 *
 * @throws {RangeError} where `text` is not printable ASCII, which no String can carry
 */
export function sfString(text: string): string {
  if (!isSfText(text)) {
    throw new RangeError(`Cannot write a String field: the text is ${show(text)}, allowed is printable ASCII.`)
  }
  return `"${text.replace(/["\\]/g, "\\$&")}"`
}

/** A Byte Sequence (RFC 9651, section 4.1.8): base64 between colons. */
export function sfBytes(bytes: Uint8Array): string {
  return `:${btoa(String.fromCharCode(...bytes))}:`
}
