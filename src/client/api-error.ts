import { SluiceError } from "../types/errors.js"

/** A server refused a request for a reason that is none of the other errors', such as a wrong token. */
export class ApiError extends SluiceError {
  override readonly name = "ApiError"
  /**
   * By the status `"UNAUTHORIZED"` (401: no token, or a wrong one), `"FORBIDDEN"` (403), `"NOT_FOUND"` (404: no such
   * endpoint), `"METHOD_NOT_ALLOWED"` (405), `"REQUEST_TIMEOUT"` (408), `"CONTENT_TOO_LARGE"` (413),
   * `"UNSUPPORTED_MEDIA_TYPE"` (415), `"TOO_MANY_REQUESTS"` (429: too many wrong tokens); else what the server calls it,
   * such as `"INTERNAL"`, or `"HTTP_ERROR"` where it does not say.
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
