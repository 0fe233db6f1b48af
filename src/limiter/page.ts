import { show } from "../types/errors.js"
import { inNameOrder } from "./name-order.js"
import type { Page } from "./named-limits.js"

/** The names of a page, in their order. @throws {RangeError} where `count` is no whole number */
export function pageOf(names: readonly string[], { after, count }: Page = {}): string[] {
  if (count !== undefined) requireCount(count)
  const sorted = names.filter((name) => after === undefined || inNameOrder(name, after) > 0).sort(inNameOrder)
  return count === undefined ? sorted : sorted.slice(0, count)
}

/** @throws {RangeError} where so many cannot be told */
export function requireCount(count: unknown): void {
  if (typeof count === "number" && Number.isInteger(count) && count >= 0) return
  throw new RangeError(`Cannot tell ${show(count)} entries: count is allowed to be a whole number from 0.`)
}
