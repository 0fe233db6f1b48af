import { formatSpan } from "./format-span.js"

/** The wait that ends an explanation's reason, and how long a block lasts before it. */
const WAITS = /\b(\d+) ms(?=\.$|, and its quota admits)/g

/**
 * The reason of an explanation for a reader: it tells its waits in ms.
 *
 * @param space between a number and its unit
 */
export function reasonInSpans(because: string, space = ""): string {
  return because.replace(WAITS, (_, ms) => formatSpan(Number(ms), space))
}
