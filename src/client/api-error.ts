import { SluiceError } from "../types/errors.js"

/** A server refused a request for a reason that is none of the other errors', such as a wrong token. */
export class ApiError extends SluiceError {
  override readonly name = "ApiError"
  /**
   * What the server calls it: `"UNAUTHORIZED"` (no token, or a wrong one), `"FORBIDDEN"`, `"NOT_FOUND"` (no such
   * endpoint), `"METHOD_NOT_ALLOWED"`, `"REQUEST_TIMEOUT"`, `"CONTENT_TOO_LARGE"`, `"UNSUPPORTED_MEDIA_TYPE"`,
   * `"TOO_MANY_REQUESTS"` (too many wrong tokens), `"INTERNAL"`. Where it does not say, as a proxy does not, one of
   * these by the status, else `"HTTP_ERROR"`.
   */
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
