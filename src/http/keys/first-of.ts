import type { KeyExtractor } from "./key-extractor.js"

/**
 * Limits by the first of several that finds something.
 *
 * @example
 * ```ts
 * import { clientAddress, firstOf, header } from "sluice/http"
 *
 * firstOf(header("X-Tenant"), clientAddress()) // tenants each, and everybody else by address
 * ```
 */
export function firstOf<Rest extends unknown[]>(...extractors: KeyExtractor<Rest>[]): KeyExtractor<Rest> {
  return async function firstKey(request, ...rest) {
    for (const extract of extractors) {
      const key = await extract(request, ...rest)
      if (key) return key
    }
    return undefined
  }
}
