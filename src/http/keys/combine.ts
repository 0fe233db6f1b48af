import type { KeyExtractor } from "./key-extractor.js"
import { foundKey } from "./limiter-key.js"
import { requireExtractors } from "./require-extractors.js"

/** Stands for a part that found nothing. No part can look like it: in a part, `\` is always followed by `\` or `|`. */
const NOTHING = "\\-"

/**
 * Limits by several things together: the key is their keys joined by `|`, with `|` and `\` in them escaped by `\`, so
 * that different parts never make the same key. A part that finds nothing is told apart from every other; where all
 * find nothing, so does this.
 *
 * @throws {RangeError} at construction, where there is no extractor, or one is no function
 * @example
 * ```ts
 * import { clientAddress, combine, pathPattern } from "sluice/http"
 *
 * combine(clientAddress(), pathPattern("/login")) // "ip:192.0.2.1|path:/login"
 * ```
 */
export function combine<Rest extends unknown[]>(...extractors: KeyExtractor<Rest>[]): KeyExtractor<Rest> {
  requireExtractors("use combine", extractors)
  return async function combinedKey(request, ...rest) {
    const parts = await Promise.all(extractors.map(async (extract) => foundKey(await extract(request, ...rest))))
    if (parts.every((part) => part === undefined)) return undefined
    return parts.map((part) => part?.replaceAll("\\", "\\\\").replaceAll("|", "\\|") ?? NOTHING).join("|")
  }
}
