import { requireCallId } from "../engine/call-id.js"
import { requireKey } from "../engine/key-bytes.js"
import { requireCost } from "../engine/require-cost.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { having, LIST, OBJECT, requireKind, requireNames, requireWhole, TEXT, unfit } from "../policy/require-fields.js"
import { requireGroupSize } from "../policy/require-group.js"
import { LimitNotFound, show } from "../types/errors.js"
import type { AllOptions, CheckItem, CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import type { TopOptions } from "./named-limits.js"

export { admittedCostOf } from "../engine/call-id.js"
export { requireKey }

/** A limiter. */
export const CHECKER = having("check")
const OF_CHECK = ["cost", "id"]
const OF_CHOSEN_CHECK = [...OF_CHECK, "limit"]
const OF_ALL = ["id"]

/** What the listings of several limits may say. */
export const PAGE_NAMES = ["after", "count"]
export const LIST_NAMES = ["limit", ...PAGE_NAMES]
export const HISTORY_NAMES = ["count", "limit"]
const TOP_NAMES = ["by", "count", "limit"]

/** @throws {RangeError} where there are options, and they are no object or have one that there is not */
export function requireOptionNames(act: string, options: object | undefined, names: readonly string[]): void {
  if (options !== undefined) requireNames(act, options, names)
}

/** What a check of a limiter of one limit may say. @throws {RangeError} */
export function requireCheckOptions(options: CheckOptions | undefined): void {
  requireOptionNames("check", options, OF_CHECK)
}

/**
 * Refuses what is said beside the arguments of a verb that takes no options, for a limiter of one limit: it would act
 * on its own limit where another one is named.
 *
 * @throws {RangeError}
 */
export function refuseOptions(act: string, surplus: unknown): void {
  // A number is the index that `keys.map(limiter.status)` passes.
  if (typeof surplus !== "number") requireOptionNames(act, surplus as object | undefined, [])
}

/** What a verb of several limits may say beside its key. @throws {RangeError} */
export function requireChoice(act: string, choice: object | undefined): void {
  requireOptionNames(act, choice, ["limit"])
}

/** Elsewhere, as in the HTTP API, `limit` is how many to tell. @throws {RangeError} where it is so here */
export function requireTop(options: TopOptions): void {
  requireNames("tell the top", options, TOP_NAMES)
  const { limit } = options
  if (limit === undefined || TEXT.fits(limit)) return
  throw unfit("tell the top", "limit", limit, "the name of a limit, and count is how many to tell")
}

/**
 * What each of several checks may say that are decided together.
 *
 * @throws {RangeError} also where they are none or more than 1,000
 */
export function requireItems(
  items: readonly object[],
  names: readonly string[] = ["key", "cost", "limit", "id"],
): void {
  requireKind("check all", "items", items, LIST)
  requireGroupSize(items.length)
  for (const [index, item] of items.entries()) requireNames("check all", item, names, `items[${index}].`)
}

/**
 * `requireItems` for a limiter of one limit: an item may name that limit, and no other.
 *
 * @throws {RangeError} {LimitNotFound}
 */
export function requireOwnItems(items: readonly CheckItem[], name: string): void {
  requireItems(items)
  for (const { limit = name } of items) {
    if (limit !== name) throw new LimitNotFound(limit, "limit", `this limiter has one limit, ${show(name)}`)
  }
}

/**
 * The id of a whole call that checks all; `undefined` where it has none.
 *
 * @throws {RangeError} where the options are not those of such a call, or the id can be none
 */
export function callIdOf(options: AllOptions | undefined, names = OF_ALL): string | undefined {
  requireOptionNames("check all", options, names)
  const id = options?.id
  if (id !== undefined) requireCallId(id)
  return id
}

/** The items of a call that checks all: its id is that of each that has none. @throws {RangeError} as `callIdOf` */
export function itemsOf<Item extends Pick<CheckItem, "id">>(
  items: readonly Item[],
  options: AllOptions | undefined,
): readonly Item[] {
  const id = callIdOf(options)
  return id === undefined ? items : items.map((item) => (item.id === undefined ? { ...item, id } : item))
}

/**
 * The cost that the options of a check name, for a limiter of one limit.
 *
 * @throws {RangeError} where the options are not those of a check, or the cost is no whole number in range
 */
export function costOf(key: unknown, options: CheckOptions | undefined, names = OF_CHECK): number {
  if (options === undefined) return 1
  requireNames("check", options, names)
  return costOfItem(key, options)
}

/** `costOf` for several limits, of which the options may name one. */
export function costOfChosen(key: string, options: CheckOptions | undefined): number {
  return costOf(key, options, OF_CHOSEN_CHECK)
}

/**
 * Refuses what no limit can be named by, where it would only be told that there is no such limit. A name is a key.
 *
 * @throws {KeyError}
 */
export function requireName(name: string): void {
  if (!TEXT.fits(name)) requireKey(name)
}

/** The cost that is to be explained: nothing is charged, so it has no id. */
export function costToExplain(key: string, options: Pick<CheckOptions, "cost"> | undefined): number {
  requireOptionNames("explain", options, ["cost", "limit"])
  return costOfItem(key, options ?? {})
}

/** The cost of one of several checks, whose names were looked at before. @throws {RangeError} where it cannot be */
export function costOfItem(key: unknown, { cost = 1 }: Pick<CheckOptions, "cost">): number {
  return requireCost(key, cost)
}

/** @throws {RangeError} where units are no whole number in range: WebAssembly would make one of them */
export function requireUnits(units: number): number {
  requireWhole("take units", "units", units, 0, MAX_UNITS)
  return units
}

/** @throws {RangeError} where it is none: a denial has none, and what comes from outside may be anything */
function requireReceipt(act: string, receipt: Receipt): void {
  if (!OBJECT.fits(receipt) || !TEXT.fits(receipt.id)) {
    throw unfit(act, "receipt", receipt, "the receipt of an admission")
  }
  requireWhole(act, "receipt.cost", receipt.cost, 1, MAX_UNITS)
}

/**
 * How many units of a receipt to give back: all of them if not told otherwise.
 *
 * @throws {RangeError} where it is no receipt, or so many cannot be given back
 */
export function requireRefund(receipt: Receipt, units?: number): number {
  requireReceipt("refund", receipt)
  if (units === undefined) return receipt.cost
  requireWhole("refund", "units", units, 0, receipt.cost)
  return units
}

/**
 * By how many units a receipt settles whose check cost so much in the end.
 *
 * @throws {RangeError} where it is no receipt, or a check cannot have cost that
 */
export function requireSettlement(receipt: Receipt, actualCost: number): number {
  requireReceipt("settle", receipt)
  requireWhole("settle", "cost", actualCost, 0, MAX_UNITS)
  return receipt.cost - actualCost
}
