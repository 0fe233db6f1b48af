import { checkKind, checkWhole, either, oneOf, TEXT, whole } from "../policy/check-fields.js"
import { inNameOrder } from "./name-order.js"
import type { Page } from "./named-limits.js"

const MOST = Number.MAX_SAFE_INTEGER
/** Those of a page may be all that there are. */
const PAGE_COUNT = either(whole(0, MOST), oneOf(Number.POSITIVE_INFINITY))

/** The names of a page, in their order. @throws {RangeError} as `requirePage` */
export function pageOf(names: readonly string[], page: Page = {}): string[] {
  requirePage(page)
  // No name is empty, so all come after that.
  const { after = "", count } = page
  return names
    .filter((name) => inNameOrder(name, after) > 0)
    .sort(inNameOrder)
    .slice(0, count)
}

/** @throws {RangeError} where `count` is neither a whole number from 0 nor `Infinity`, or `after` is no text */
export function requirePage({ after = "", count = 0 }: Page): void {
  checkKind("tell entries", "count", count, PAGE_COUNT)
  checkKind("tell entries", "after", after, TEXT)
}

/** @throws {RangeError} where so many cannot be told */
export function requireCount(count: unknown): void {
  checkWhole("tell entries", "count", count, 0, MOST)
}
