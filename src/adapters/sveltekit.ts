/**
 * Rate limiting for SvelteKit: `import { rateLimit } from "sluice/sveltekit"`.
 *
 * @module
 */
import type { RequestEvent } from "@sveltejs/kit"
import { guardRequests } from "../http/guard.js"
import type { RateLimitOptions, ResponseHead } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"

export type { Connection } from "./connection.js"

/** What SvelteKit hands to `handle`. */
export interface HandleInput {
  readonly event: RequestEvent
  readonly resolve: (event: RequestEvent) => Response | Promise<Response>
}

/**
 * A `handle` for `hooks.server.ts`, alone or in `sequence`.
 *
 * Functions of the options get the request, then SvelteKit's event. The default key is `event.getClientAddress()`,
 * which the SvelteKit adapter answers. Requests that the app makes to itself while it renders are not limited.
 *
 * @throws as `rateLimit` of `sluice/http`
 * @example
 * ```ts
 * import { rateLimit } from "sluice/sveltekit"
 *
 * export const handle = rateLimit({ policy: "100/minute" })
 * ```
 */
export function rateLimit(
  options: RateLimitOptions<[event: RequestEvent, connection: Connection]>,
): (input: HandleInput) => Promise<Response> {
  const guard = guardRequests(options)
  return async function handle({ event, resolve }) {
    if (event.isSubRequest) return resolve(event)
    const outcome = await guard(event.request, event, connectionOf(event))
    if (!outcome.passes) return outcome.response
    let head: ResponseHead | null = null
    try {
      const response = await resolve(event)
      head = response
      return outcome.apply(response)
    } finally {
      outcome.done(head)
    }
  }
}

/** What platforms with a limited lifetime of requests put into SvelteKit's `platform`. */
interface Platform {
  readonly ctx?: Connection
  readonly context?: Connection
}

function connectionOf(event: RequestEvent): Connection {
  const { ctx, context }: Platform = event.platform ?? {}
  const lasting = ctx ?? context
  return { remoteAddress: addressOf(event), waitUntil: lasting?.waitUntil?.bind(lasting) }
}

/** SvelteKit throws while it prerenders, and some adapters where they know of no address. */
function addressOf(event: RequestEvent): string | undefined {
  try {
    return event.getClientAddress()
  } catch {
    return undefined
  }
}
