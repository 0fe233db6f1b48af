import type { KeyExtractor } from "./key-extractor.js"
import { foundKey } from "./limiter-key.js"
import { requireExtractors } from "./require-extractors.js"

/**
 * Limits by the first of several that finds something.
 *
 * @throws {RangeError} at construction, where there is no extractor, or one is no function
 * @example
 * ```ts
 * import { clientAddress, firstOf, header } from "sluice/http"
 *
 * firstOf(header("X-Tenant"), clientAddress()) // tenants each, and everybody else by address
 * ```
 */
export function firstOf<Rest extends unknown[]>(...extractors: KeyExtractor<Rest>[]): KeyExtractor<Rest> {
  requireExtractors("use firstOf", extractors)
  return async function firstKey(request, ...rest) {
    for (const extract of extractors) {
      const key = foundKey(await extract(request, ...rest))
      if (key !== undefined) return key
    }
    return undefined
  }
}
