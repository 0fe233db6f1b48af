import { hashKey } from "./hash"
import { UNDECIDED, brief, decideFast } from "./algorithms/arrival-time"
import { ADMITTED, NO_ROOM, bindingRule, decideAt, verdict } from "./decide"
import { Limit, ruleAt } from "./limit"
import { cellIn, findCell, groupAfterHome, homeOf, touchGroup } from "./table/find"
import { CELL_HEAD, Table, isPassed } from "./table/table"

/*
 * Many checks in one call. What a check of one of a million keys costs is waiting for memory: its group's header, then
 * its cell. Here the waits overlap: of up to 256 keys all hashes are computed, then all home groups are asked for, then
 * all cells are found, and only then is one after the other decided, from the cache.
 *
 * About one key in eight found its home group full and is in a later one. Those are set aside without a branch, and
 * their next groups asked for together: looked for one by one, each would wait for memory alone.
 *
 * The answers lie in columns of `count` each, in this order:
 *
 *   │ retryAfterMs f64 │ resetAfterMs f64 │ remaining u32 │ allowed u8 │
 */
const RUN: i32 = 256
const hashes = memory.data(RUN * 8, 16)
/** Where a key's home group is; once it was looked for, its cell. */
const cells = memory.data(RUN * 4, 16)
/** Which keys may be in a later group than their home. */
const astray = memory.data(RUN * 4, 16)

/** Keeps the touched bytes alive in the eyes of the compiler. */
let touched: u32 = 0

/** Bytes of the answers to `count` checks. */
export function answerBytes(count: usize): usize {
  return count * (8 + 8 + 4 + 1)
}

/**
 * Decides `count` checks at one time. Key i is `keys[ends[i − 1] … ends[i])`, its cost `costs[i]` (u32), or 1 for each
 * where `costs` is 0. Keys and costs must be in range. Reads up to 15 bytes past the last key.
 */
export function decideMany(
  limit: Limit,
  keys: usize,
  ends: usize,
  costs: usize,
  count: i32,
  nowMs: i64,
  answers: usize,
): void {
  const resets = answers + <usize>count * 8
  const remainings = resets + <usize>count * 8
  const alloweds = remainings + <usize>count * 4
  const table = limit.cells
  const rule = ruleAt(limit, 0)
  // Nothing that is decided here blocks a key: where nobody is blocked, nobody will be.
  const areUnits = costs == 0 && limit.hasFastPath && limit.blocks.count == 0
  let start: usize = 0
  for (let first = 0; first < count; first += RUN) {
    const length = min(RUN, count - first)
    for (let index = 0; index < length; index++) {
      const end = <usize>load<u32>(ends + ((<usize>(first + index)) << 2))
      const hash = hashKey(limit.schedule, keys + start, end - start)
      store<u64>(hashes + ((<usize>index) << 3), hash)
      store<u32>(cells + ((<usize>index) << 2), <u32>homeOf(table, hash))
      start = end
    }
    findCells(table, length)
    let changes = table.changes
    for (let index = 0; index < length; index++) {
      const item = <usize>(first + index)
      const hash = load<u64>(hashes + ((<usize>index) << 3))
      const cost: i64 = costs == 0 ? 1 : <i64>load<u32>(costs + (item << 2))
      // What was found is where it was as long as no key came or went.
      const cell = table.changes == changes ? <usize>load<u32>(cells + ((<usize>index) << 2)) : findCell(table, hash)
      if (areUnits && cell != 0) {
        const admitted = decideFast(rule, cell + CELL_HEAD, nowMs, 1, true)
        store<f64>(answers + (item << 3), <f64>load<i64>(brief, 8))
        store<f64>(resets + (item << 3), <f64>load<i64>(brief, 16))
        store<u32>(remainings + (item << 2), load<u32>(brief))
        store<u8>(alloweds + item, u8(admitted))
        if (admitted != UNDECIDED) continue
      }
      const outcome = decideAt(limit, hash, cell, cost, nowMs, true)
      const binding = bindingRule()
      store<f64>(answers + (item << 3), load<f64>(verdict))
      store<f64>(resets + (item << 3), load<f64>(binding, 16))
      store<u32>(remainings + (item << 2), <u32>load<f64>(binding))
      store<u8>(alloweds + item, u8(outcome == ADMITTED))
      if (outcome == NO_ROOM) {
        // A new key has all of its quota when there is room for it.
        store<f64>(resets + (item << 3), load<f64>(verdict))
        store<u32>(remainings + (item << 2), 0)
      }
    }
  }
}

/** Makes the home groups of the first `length` keys their cells, 0 where a key has none. */
function findCells(table: Table, length: i32): void {
  let sum: u32 = 0
  for (let index = 0; index < length; index++) sum += touchGroup(load<u32>(cells + ((<usize>index) << 2)))
  let strays: usize = 0
  let hash: u64 = 0
  let cell: usize = 0
  for (let index = 0; index < length; index++) {
    const at = cells + ((<usize>index) << 2)
    const home = <usize>load<u32>(at)
    const next = load<u64>(hashes + ((<usize>index) << 3))
    // Calls for one key tend to come together.
    if (next != hash) {
      hash = next
      cell = cellIn(table, home, hash)
    }
    store<u32>(at, <u32>cell)
    store<u32>(astray + (strays << 2), index)
    strays += usize(cell == 0) & usize(isPassed(home))
  }
  for (let stray: usize = 0; stray < strays; stray++) {
    const index = <usize>load<u32>(astray + (stray << 2))
    sum += touchGroup(groupAfterHome(table, load<u64>(hashes + (index << 3))))
  }
  touched = sum
  for (let stray: usize = 0; stray < strays; stray++) {
    const index = <usize>load<u32>(astray + (stray << 2))
    store<u32>(cells + (index << 2), <u32>findCell(table, load<u64>(hashes + (index << 3))))
  }
}
