import type { Decision } from "../src/types/decision.js"

/**
 * Answers in place of an upstream: what was asked, and what is known of the client's limit.
 *
 * @param limitName `null` where no limit protects the path
 * @param decision `undefined` where there is none
 */
export function echo(request: Request, limitName: string | null, decision: Decision | undefined): Response {
  const { pathname, search } = new URL(request.url)
  return Response.json({
    method: request.method,
    path: pathname + search,
    limit: limitName,
    ...(decision && {
      key: decision.key,
      policy: decision.policy,
      quota: decision.limit,
      remaining: decision.remaining,
      resetAfterMs: decision.resetAfterMs,
      reason: decision.reason,
    }),
  })
}
