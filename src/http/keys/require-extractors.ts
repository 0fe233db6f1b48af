import { FUNCTION, unfit } from "../../policy/require-fields.js"

/**
 * Refuses what is to be asked for keys and cannot be, or is nobody: every request would share one key then.
 *
 * @throws {RangeError} naming the first that is no function
 */
export function requireExtractors(act: string, extractors: readonly unknown[]): void {
  if (extractors.length === 0) throw unfit(act, "extractors", extractors, "one or more")
  for (const [index, extract] of extractors.entries()) {
    if (!FUNCTION.fits(extract)) throw unfit(act, `extractors[${index}]`, extract, FUNCTION.allowed)
  }
}
