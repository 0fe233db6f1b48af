import type { Awaitable } from "../../types/limiter.js"

/**
 * Says which key a request counts against. `Rest` is what the runtime hands to the handler beside the request: `env`
 * and `ctx` on Workers, the connection on Deno and Bun.
 *
 * Nothing (`undefined`, `null` or an empty text) means that the request does not show what this extractor looks for.
 * Such requests are not exempt: they share one key, `UNIDENTIFIED_KEY`.
 *
 * The extractors of this package put a word and a colon before what they found (`ip:`, `header:`, …), so that no client
 * can send a value that is another client's key.
 */
export type KeyExtractor<Rest extends unknown[] = unknown[]> = (
  request: Request,
  ...rest: Rest
) => Awaitable<string | null | undefined>
