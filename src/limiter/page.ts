import { checkKind, checkWhole, TEXT } from "../policy/check-fields.js"
import { inNameOrder } from "./name-order.js"
import type { Page } from "./named-limits.js"

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

/** @throws {RangeError} where `count` is no whole number from 0, or `after` is no text */
export function requirePage({ after = "", count = 0 }: Page): void {
  requireCount(count)
  checkKind("tell entries", "after", after, TEXT)
}

/** @throws {RangeError} where so many cannot be told */
export function requireCount(count: unknown): void {
  checkWhole("tell entries", "count", count, 0, Number.MAX_SAFE_INTEGER)
}
