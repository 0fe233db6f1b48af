import { inNameOrder } from "../lib/name-order.js"
import { either, oneOf, requireKind, requireWhole, TEXT, whole } from "../policy/require-fields.js"
import type { Page } from "./named-limits.js"

const MAX_COUNT = Number.MAX_SAFE_INTEGER
/** Those of a page may be all that there are. */
const PAGE_COUNT = either(whole(0, MAX_COUNT), oneOf(Number.POSITIVE_INFINITY))

/** So many names are held beside two pages before they are sorted. */
const MORE_HELD = 1_000

/** Of the names that it hears of, in any order and perhaps again, those of a page: it holds few more than these. */
export class PageNames {
  readonly #after: string
  readonly #count: number
  #heard: string[] = []
  /** The last name of a page that is full: from it on, none is of this page. */
  #last: string | null = null

  /** @throws {RangeError} as `requirePage` */
  constructor(page: Page = {}) {
    requirePage(page)
    // No name is empty, so all come after that.
    const { after = "", count = Number.POSITIVE_INFINITY } = page
    this.#after = after
    this.#count = count
  }

  add(name: string): void {
    if (inNameOrder(name, this.#after) <= 0) return
    if (this.#last !== null && inNameOrder(name, this.#last) >= 0) return
    this.#heard.push(name)
    if (this.#heard.length >= 2 * this.#count + MORE_HELD) this.first()
  }

  /** The first of those that it heard of, each once, in their order. */
  first(): string[] {
    const names = this.#heard.sort(inNameOrder).filter((name, at, sorted) => name !== sorted[at - 1])
    names.length = Math.min(names.length, this.#count)
    if (names.length === this.#count) this.#last = names.at(-1) ?? ""
    this.#heard = names
    return names
  }
}

/** The names of a page, each once, in their order. @throws {RangeError} as `requirePage` */
export function pageOf(names: Iterable<string>, page?: Page): string[] {
  const all = new PageNames(page)
  for (const name of names) all.add(name)
  return all.first()
}

/** @throws {RangeError} where `count` is neither a whole number from 0 nor `Infinity`, or `after` is no text */
export function requirePage({ after = "", count = 0 }: Page): void {
  requireKind("tell entries", "count", count, PAGE_COUNT)
  requireKind("tell entries", "after", after, TEXT)
}

/** @throws {RangeError} where so many cannot be told */
export function requireCount(count: unknown): void {
  requireWhole("tell entries", "count", count, 0, MAX_COUNT)
}
