import type { Ledger } from "../ledger/ledger.js"
import type { LedgerLimit } from "../ledger/own-limit.js"
import { limitNamed } from "../limiter/limit-for.js"
import type { LimitChoice, Page, TopEntry, TopOptions } from "../limiter/named-limits.js"
import { NamesNotKept } from "../limiter/names-not-kept.js"
import { PageNames } from "../limiter/page.js"
import { TopKeys } from "../limiter/top-keys.js"

/** So many keys are looked at before others get their turn. */
const TURN_KEYS = 5_000

/**
 * A page of the names of the keys that were decided about, in their order, under one limit or any. Those that are there
 * from the beginning to the end are told exactly, and of those that come or go meanwhile some.
 *
 * @throws {NamesNotKept} {LimitNotFound} {RangeError} where the page cannot be; {StoreUnavailable} where the ledger is
 *   closed meanwhile
 */
export async function listOf(ledger: Ledger, choice: LimitChoice & Page): Promise<string[]> {
  const limits = listed(ledger, choice.limit)
  const names = new PageNames(choice)
  let looked = 0
  for (const each of limits) {
    const all = ledger.namesOf(each)
    // Those that come meanwhile are told after these, and may come without an end.
    let left = all.size
    for (const key of all) {
      if (left === 0) break
      left -= 1
      looked += 1
      if (looked % TURN_KEYS === 0) await ledger.nextTurn()
      names.add(key)
    }
  }
  return names.first()
}

/**
 * The keys with the most checks allowed or denied, most first, under one limit or any.
 *
 * @throws {NamesNotKept} {LimitNotFound} {RangeError} where an option cannot be; {StoreUnavailable} where the ledger is
 *   closed meanwhile
 */
export async function topOf(ledger: Ledger, options: TopOptions): Promise<TopEntry[]> {
  const limits = listed(ledger, options.limit)
  const top = new TopKeys(options)
  let looked = 0
  for (const each of limits) {
    for (const key of [...ledger.namesOf(each)]) {
      looked += 1
      if (looked % TURN_KEYS === 0) {
        top.best()
        await ledger.nextTurn()
      }
      // It may have been removed while others had their turn.
      if (ledger.nameOf(each.number) === undefined) break
      top.add(key, each.name, each.openKeys().stats(key))
    }
  }
  return top.best()
}

/** The limits whose keys are told. @throws {NamesNotKept} {LimitNotFound} */
function listed(ledger: Ledger, name: string | undefined): readonly LedgerLimit[] {
  if (!ledger.keepsNames) throw new NamesNotKept()
  return name === undefined ? ledger.limits : [limitNamed(ledger, name)]
}
