import {
  CostError,
  KeyError,
  LimitNotFound,
  PolicyError,
  StoreCorrupt,
  StoreLocked,
  StoreUnavailable,
  StoreVersion,
} from "../types/errors.js"
import { REFUSAL_CODES } from "../types/refusal-code.js"
import { ApiError } from "./api-error.js"
import { readRetryAfter } from "./quota-fields.js"

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
  STORE_VERSION: ({ found, supported }) => new StoreVersion(number(found), number(supported)),
}

/**
 * The error that a problem (RFC 9457) tells by its `code`: of the class that the limiter behind the server threw, else
 * an `ApiError`. What has no code is not of sluice, but of a proxy before it say: then the status tells what it is.
 *
 * @param untold the message where the problem has none
 */
export function errorOfProblem(status: number, problem: Members, retryAfter: string | null, untold: string): Error {
  const code = text(problem.code)
  const message = text(problem.detail) || untold
  if (!Object.hasOwn(MAKERS, code)) {
    const known = code || (REFUSAL_CODES[status] ?? "HTTP_ERROR")
    return new ApiError(status, known, message, readRetryAfter(retryAfter, Date.now()))
  }
  const error = MAKERS[code]!(problem)
  error.message = message
  return error
}
