import type { Awaitable } from "../../types/limiter.js"

/**
 * Says which key a request counts against. `Rest` is what the runtime hands to the handler beside the request: `env`
 * and `ctx` on Workers, the connection on Deno and Bun.
 *
 * Nothing (`undefined`, `null` or an empty text) means that the request does not show what this extractor looks for.
 * Such requests are not exempt: they share one key, `UNIDENTIFIED_KEY` or the extractor's own.
 *
 * The extractors of this package put a word and a colon before what they found (`ip:`, `header:`, …), so that no client
 * can send a value that is another client's key.
 */
export interface KeyExtractor<Rest extends unknown[] = unknown[]> {
  (request: Request, ...rest: Rest): Awaitable<string | null | undefined>
  /**
   * The key that those requests share, and those where it fails, in place of `UNIDENTIFIED_KEY`; a text, not empty.
   * What `combine` and `firstOf` make of extractors has none of theirs: give it its own by `Object.assign`.
   */
  readonly unidentified?: string
}
