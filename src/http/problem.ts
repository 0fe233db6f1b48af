import { requireDecision } from "../limiter/require-decision.js"
import type { Decision } from "../types/decision.js"
import { show } from "../types/errors.js"
import type { RequestDecision } from "./request-decision.js"

/** The problem type of a request that exceeds its quota (draft-ietf-httpapi-ratelimit-headers-11, section 5.1). */
export const QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"

/** Problem details (RFC 9457): what went wrong, for people in `detail`, for machines in the rest. */
export interface Problem {
  /** A URI that names the kind of problem; `"about:blank"` where the status says all. */
  readonly type: string
  /** The kind of problem in words. */
  readonly title: string
  /** The status of the response. */
  readonly status: number
  /** What happened this time. */
  readonly detail: string
  readonly [extension: string]: unknown
}

/**
 * The problem of a denied request. `violated-policies` names the rules that denied it. The key stays unsaid.
 *
 * @throws {RangeError} where it is no decision
 */
export function quotaExceeded(decision: RequestDecision, status = 429): Problem {
  requireDecision("rate limit", decision, "decision")
  const { policy, limit, remaining, cost, reason, retryAfterMs, resetAfterMs } = decision
  const violated = (decision.limits ?? [decision]).flatMap(violatedBy)
  return {
    type: QUOTA_EXCEEDED,
    title: "Too Many Requests",
    status,
    detail: `The policy ${show(policy)} admits this request in ${retryAfterMs} ms.`,
    code: "RATE_LIMIT_EXCEEDED",
    "violated-policies": violated.length > 0 ? violated : [policy],
    reason,
    limit,
    remaining,
    cost,
    retry_after_ms: retryAfterMs,
    reset_after_ms: resetAfterMs,
  }
}

/** The rules that denied a check; the one that binds most where none of them did, but a block. */
function violatedBy({ allowed, policy, rules = [] }: Decision): string[] {
  if (allowed) return []
  const names = rules.filter((rule) => rule.retryAfterMs > 0).map((rule) => rule.policy)
  return names.length > 0 ? names : [policy]
}

/** The problem of a request in whose URL readers would find different paths. */
export function urlUnclear(): Problem {
  return {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    detail:
      "Cannot read the request: its URL is not clear, allowed is a plain host and a path without dot segments or backslashes.",
    code: "REQUEST_INVALID",
  }
}

/** The problem of a client that is on the deny list. */
export function accessDenied(): Problem {
  return {
    type: "about:blank",
    title: "Forbidden",
    status: 403,
    detail: "This client is denied, whatever its quota.",
    code: "ACCESS_DENIED",
  }
}

/** The problem of a request that was refused because the limiter could not be asked. */
export function limiterUnavailable({ reason, retryAfterMs }: Decision, status: 429 | 503 = 503): Problem {
  return {
    type: "about:blank",
    title: status === 503 ? "Service Unavailable" : "Too Many Requests",
    status,
    detail: "The rate limiter cannot be reached.",
    code: "STORE_UNAVAILABLE",
    reason,
    retry_after_ms: retryAfterMs,
  }
}

/**
 * The problem of a request whose cost no wait makes admissible, or that is no cost at all. Says the largest allowed.
 */
export function costProblem(cost: number, maximum: number): Problem {
  return {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    detail: `The cost of this request is ${show(cost)}, allowed is a whole number from 0 to ${maximum}.`,
    code: typeof cost === "number" && cost > maximum ? "COST_ABOVE_CAPACITY" : "COST_INVALID",
    // JSON has neither NaN nor Infinity, and what is no number, which plain JavaScript may give, is told as in
    // `detail`.
    cost: Number.isFinite(cost) ? cost : show(cost),
    maximum,
  }
}

/** The response that carries a problem: `application/problem+json`, never stored by a cache. */
export function problemResponse(problem: Problem): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store" },
  })
}
