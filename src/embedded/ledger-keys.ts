import type { Ledger } from "../ledger/ledger.js"
import { NameSet } from "../ledger/name-set.js"
import type { LedgerLimit } from "../ledger/own-limit.js"
import { limitNamed } from "../limiter/limit-for.js"
import type { TopEntry, TopOptions } from "../limiter/named-limits.js"
import { NamesNotKept } from "../limiter/names-not-kept.js"
import { TopKeys } from "../limiter/top-keys.js"

/** So many keys are looked at before others get their turn. */
const TURN_KEYS = 5_000

/** The names of the keys that were decided about, under one limit or any. @throws {NamesNotKept} {LimitNotFound} */
export function keysOf(ledger: Ledger, limit: string | undefined): NameSet {
  const keys = new NameSet()
  for (const each of listed(ledger, limit)) for (const key of ledger.namesOf(each)) keys.add(key)
  return keys
}

/**
 * The keys with the most checks allowed or denied, most first, under one limit or any.
 *
 * @throws {NamesNotKept} {LimitNotFound} {RangeError} where an option cannot be; {StoreUnavailable} where the ledger is closed
 *   meanwhile
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
