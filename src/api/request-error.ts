import { SluiceError, show } from "../types/errors.js"

/** What a client sent cannot be: nothing was changed. `status` is the HTTP status that says so. */
export class RequestError extends SluiceError {
  override readonly name = "RequestError"
  readonly code = "REQUEST_INVALID"
  readonly status: number
  /** Header fields that the answer carries beside the problem. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** A field whose value cannot be. */
export function badField(field: string, value: unknown, allowed: string): RequestError {
  return new RequestError(400, `Cannot read the request: ${field} is ${show(value)}, allowed is ${allowed}.`)
}
