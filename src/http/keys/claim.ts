import { FUNCTION, required, requireFields } from "../../policy/require-fields.js"
import type { Awaitable } from "../../types/limiter.js"
import type { KeyExtractor } from "./key-extractor.js"
import { foundKey } from "./limiter-key.js"

/**
 * Limits by a claim that the application has verified already, such as the subject of a JWT: the key is `claim:` and
 * the value. Never read the claim from a token that nobody verified; a client would choose its key.
 *
 * @param read gives the claim's value, a text or a number, or nothing where the request has none. Any other value is a
 * TypeError, which leaves the request with the key of those that show none
 * @throws {RangeError} at construction, where `read` is no function
 * @example
 * ```ts
 * import { claim, rateLimit } from "sluice/http"
 *
 * const sessions = new WeakMap<Request, { sub: string }>() // filled by what verifies the token
 * rateLimit(() => new Response("ok"), {
 *   policy: "100/minute",
 *   key: claim((request) => sessions.get(request)?.sub),
 * })
 * ```
 */
export function claim<Rest extends unknown[]>(
  read: (request: Request, ...rest: Rest) => Awaitable<string | number | null | undefined>,
): KeyExtractor<Rest> {
  requireFields("use claim", { read }, { read: required(FUNCTION) })
  return async function claimKey(request, ...rest) {
    const value = await read(request, ...rest)
    // As texts, all objects would be one, and a list of one value that value.
    const text = foundKey(typeof value === "number" ? String(value) : value)
    return text && `claim:${text}`
  }
}
