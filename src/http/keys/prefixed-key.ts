import type { KeyExtractor } from "./key-extractor.js"
import { UNIDENTIFIED_KEY, unhashedKey } from "./limiter-key.js"

/** The keys of requests whose own cannot be had, by extractor. */
const sharedKeys = new WeakMap<object, string>()

/** An extractor with a prefix before all its keys, that of the requests whose own cannot be had too. */
export function prefixedKey<Rest extends unknown[]>(prefix: string, extract: KeyExtractor<Rest>): KeyExtractor<Rest> {
  async function prefixed(...call: [Request, ...Rest]): Promise<string> {
    const found = await extract(...call)
    // A prefix would make a text of anything, and a key of nothing.
    return `${prefix}${unhashedKey(found) ?? found}`
  }
  sharedKeys.set(prefixed, `${prefix}${UNIDENTIFIED_KEY}`)
  return prefixed
}

/** What a request counts against where an extractor fails. */
export function sharedKeyOf<Rest extends unknown[]>(extract: KeyExtractor<Rest>): string {
  return sharedKeys.get(extract) ?? UNIDENTIFIED_KEY
}
