import type { Problem } from "../http/problem.js"
import { NamesNotKept } from "../limiter/names-not-kept.js"
import {
  CostError,
  LimitNotFound,
  PolicyError,
  SluiceError,
  StoreCorrupt,
  StoreLocked,
  StoreUnavailable,
  StoreVersion,
} from "../types/errors.js"
import { TimeError } from "../types/time-error.js"
import type { ApiAnswer } from "./api-request.js"
import { RequestError } from "./request-error.js"

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
}

/** The name of a status (RFC 9110, section 15), of those that a problem has. */
export function titleOf(status: number): string | undefined {
  return TITLES[status]
}

/**
 * The answer that tells an error: problem+json that also has the message as `error`. Secrets and stacks stay unsaid.
 */
export function problemAnswer(error: unknown): ApiAnswer {
  const status = statusOf(error)
  const isKnown = error instanceof SluiceError || error instanceof TimeError || status !== 500
  const detail = isKnown ? detailOf(error as Error) : "The server failed; its log says why."
  const problem: Problem = {
    type: "about:blank",
    title: titleOf(status) ?? "Error",
    status,
    detail,
    error: error instanceof LimitNotFound ? "limit is not configured" : detail,
    code: codeOf(error),
    ...membersOf(error),
  }
  return {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...(error instanceof RequestError && error.headers),
    },
    body: JSON.stringify(problem),
  }
}

/** Whether a request failed because of the server's store or its clock, and not of what was asked. */
export function isFailure(error: unknown): boolean {
  return error instanceof TimeError || (error instanceof SluiceError && statusOf(error) >= 500)
}

function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status
  // What is asked for is not there, whatever the request says.
  if (error instanceof NamesNotKept) return 404
  if (error instanceof StoreUnavailable || error instanceof StoreLocked) return 503
  if (error instanceof StoreCorrupt || error instanceof StoreVersion || error instanceof TimeError) return 500
  return error instanceof SluiceError || error instanceof RangeError ? 400 : 500
}

function detailOf(error: Error): string {
  // In the API's own words.
  if (error instanceof LimitNotFound) return error.messageWhere("GET /v1/limits lists those configured")
  return error.message
}

function codeOf(error: unknown): string {
  if (error instanceof SluiceError) return error.code
  if (error instanceof NamesNotKept) return "NAMES_NOT_KEPT"
  return error instanceof RangeError && !(error instanceof TimeError) ? "OUT_OF_RANGE" : "INTERNAL"
}

/** What a client needs to make the same error of it. Values are told only where they are short and plain. */
function membersOf(error: unknown): Record<string, unknown> {
  if (error instanceof CostError) return { key: error.key, cost: error.cost, maximum: error.maximum }
  if (error instanceof LimitNotFound) {
    const { limit, of, known } = error
    return { limit, of, ...(known !== undefined && { known }) }
  }
  if (error instanceof PolicyError) return { field: error.field, value: plain(error.value), allowed: error.allowed }
  if (error instanceof StoreCorrupt) return { row: error.row, failure: error.failure }
  if (error instanceof StoreVersion) return { found: error.found, supported: error.supported }
  return {}
}

function plain(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value
  return typeof value === "string" && value.length <= 200 ? value : null
}
