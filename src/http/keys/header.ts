import { required, requireFields } from "../../policy/require-fields.js"
import type { KeyExtractor } from "./key-extractor.js"
import { HEADER_NAME } from "./token.js"

/**
 * Limits by the value of a header: the key is `header:`, the header's name in lower case, `=` and the value without
 * white space around it. The value is whatever the client sent, so let something in front of this set or verify it; an
 * invented value is a fresh key.
 *
 * @throws {RangeError} at construction, where `name` is no header name
 * @example
 * ```ts
 * import { header, rateLimit } from "sluice/http"
 *
 * rateLimit(() => new Response("ok"), { policy: "100/minute", key: header("X-Tenant") })
 * ```
 */
export function header(name: string): KeyExtractor {
  requireFields("use header", { name }, { name: required(HEADER_NAME) })
  const lowerName = name.toLowerCase()
  return function headerKey({ headers }) {
    const value = headers.get(lowerName)?.trim()
    return value ? `header:${lowerName}=${value}` : undefined
  }
}
