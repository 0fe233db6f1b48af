import {
  CostError,
  KeyError,
  LimitNotFound,
  PolicyError,
  StoreCorrupt,
  StoreLocked,
  StoreUnavailable,
} from "../types/errors.js"
import { ApiError } from "./api-error.js"

interface Members {
  readonly code?: unknown
  readonly detail?: unknown
  readonly [member: string]: unknown
}

const text = (value: unknown) => (typeof value === "string" ? value : "")
const number = (value: unknown) => (typeof value === "number" ? value : 0)

/** How each error is made of a problem's members, by its code. Its message is then the server's. */
const MAKERS: Readonly<Record<string, (members: Members) => Error>> = {
  COST_ABOVE_CAPACITY: ({ key, cost, maximum }) => new CostError(text(key), number(cost), number(maximum)),
  KEY_INVALID: () => new KeyError("", ""),
  LIMIT_NOT_FOUND: ({ limit, of, known }) =>
    new LimitNotFound(text(limit), of === "key" ? of : "limit", text(known) || undefined),
  POLICY_INVALID: ({ field, value, allowed }) => new PolicyError(text(field), value, text(allowed)),
  OUT_OF_RANGE: () => new RangeError(),
  // What the server's schemas refuse is what a limiter in this process would have refused as out of range.
  REQUEST_INVALID: () => new RangeError(),
  STORE_CORRUPT: ({ row, failure }) => new StoreCorrupt(text(row), text(failure)),
  STORE_LOCKED: () => new StoreLocked(""),
  STORE_UNAVAILABLE: () => new StoreUnavailable(""),
}

/** What a refusal is called, whoever makes it: the server, which calls each a bad request, or a proxy before it. */
const REFUSALS: Readonly<Record<number, string>> = {
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  408: "REQUEST_TIMEOUT",
  413: "CONTENT_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  429: "TOO_MANY_REQUESTS",
}

/**
 * The error that a problem (RFC 9457) tells: of the class that the limiter behind the server threw where it is known,
 * else an `ApiError`.
 */
export function reviveError(status: number, problem: Members, retryAfter: string | null): Error {
  const code = text(problem.code)
  const message = text(problem.detail) || `The server answered with status ${status}.`
  const make = Object.hasOwn(MAKERS, code) ? MAKERS[code]! : null
  const refusal = REFUSALS[status]
  if (make === null || refusal !== undefined) {
    const seconds = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null
    const known = code === "" || code === "REQUEST_INVALID" ? (refusal ?? (code || "HTTP_ERROR")) : code
    return new ApiError(status, known, message, seconds === null ? null : seconds * 1000)
  }
  const error = make(problem)
  error.message = message
  return error
}
