import { SluiceError, show } from "../types/errors.js"
import { REFUSAL_CODES } from "../types/refusal-code.js"

/** What a client sent cannot be: nothing was changed. `status` is the HTTP status that says so. */
export class RequestError extends SluiceError {
  override readonly name = "RequestError"
  /** By the status: that of a refusal, else `"REQUEST_INVALID"`. */
  readonly code: string
  readonly status: number
  /** Header fields that the answer carries beside the problem. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.code = REFUSAL_CODES[status] ?? "REQUEST_INVALID"
    this.status = status
    this.headers = headers
  }
}

/** A field whose value cannot be. */
export function badField(field: string, value: unknown, allowed: string): RequestError {
  return new RequestError(400, `Cannot read the request: ${field} is ${show(value)}, allowed is ${allowed}.`)
}
