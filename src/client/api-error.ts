import { SluiceError } from "../types/errors.js"

/** A server refused a request for a reason that is none of the other errors', such as a wrong token. */
export class ApiError extends SluiceError {
  override readonly name = "ApiError"
  /** What the server calls it, such as `"REQUEST_INVALID"`. */
  readonly code: string
  /** The HTTP status. */
  readonly status: number
  /** How long the server asks to wait before the next request, in ms, `null` where it does not say. */
  readonly retryAfterMs: number | null

  constructor(status: number, code: string, message: string, retryAfterMs: number | null) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}
