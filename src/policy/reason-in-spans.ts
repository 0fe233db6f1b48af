import { formatSpan } from "../lib/format-span.js"

/**
 * How long a block lasts, which begins an explanation's reason, and the wait that ends it: a rule's name lies between.
 */
const WAITS = /(?<=^The key is blocked for another )\d+ ms|\b\d+ ms(?=\.$)/g

/**
 * The reason of an explanation for a reader: it tells its waits in ms.
 *
 * @param space between a number and its unit
 */
export function reasonInSpans(because: string, space = ""): string {
  return because.replace(WAITS, (wait) => formatSpan(Number.parseInt(wait, 10), space))
}
