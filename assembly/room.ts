import { dropCell, fullAfterOf, healStates, slowestRule } from "./cell"
import { DENY_NEW, KEEP_ALL, Limit, ruleAt } from "./limit"
import { sweepCells } from "./sweep"
import { growSegment, isCrowded, segmentRoom } from "./table/grow"
import { insertCell } from "./table/insert"
import { CELL_HEAD } from "./table/table"
import { NEIGHBOURS, homeSlot, nextCell, segmentIndex, startWalk } from "./table/walk"

/*
 * Room for a new key: what is idle goes first, then, at the bound, what is nearest to idle.
 */

/**
 * Time until there is room for the key that was refused last: then its nearest neighbour is idle, if memory is left.
 */
export let roomAfterMs: i64 = 0
/** The rule under which that neighbour is full last. */
export let roomRule: i32 = 0

/**
 * Makes room for a key at `maxKeys`: idle neighbours go, else the neighbour nearest to full, if that may be forgotten.
 */
export function makeRoom(limit: Limit, hash: u64, nowMs: i64): bool {
  const segment = segmentIndex(limit.cells, hash)
  const slot = homeSlot(limit.cells, hash)
  startWalk(segment, slot)
  // Neighbours that a clock which had jumped left ahead would keep their places for ever if nobody asks for them.
  if (sweepCells(limit, nowMs, NEIGHBOURS, true) > 0) return true
  startWalk(segment, slot)
  let nearest: usize = 0
  let nearestMs = i64.MAX_VALUE
  const most = min(NEIGHBOURS, limit.cells.count)
  for (let looked: u32 = 0; looked < most; looked++) {
    let cell = nextCell(limit.cells, u32.MAX_VALUE)
    if (cell == 0) {
      // Behind the last cell comes the first.
      startWalk(0, 0)
      cell = nextCell(limit.cells, u32.MAX_VALUE)
    }
    // The wait that is told begins now. To choose whom to forget, no more than how long each needs is compared.
    if (limit.onFull == DENY_NEW) healStates(limit, cell + CELL_HEAD, nowMs)
    const resetMs = fullAfterOf(limit, cell + CELL_HEAD, nowMs)
    if (resetMs < nearestMs) {
      nearestMs = resetMs
      nearest = cell
      roomRule = slowestRule
    }
  }
  if (limit.onFull == DENY_NEW && nearestMs > 0) {
    roomAfterMs = nearestMs
    return false
  }
  dropCell(limit, nearest)
  return true
}

/** A cell for a key that has none; 0 where there is no room. */
export function newCell(limit: Limit, hash: u64, nowMs: i64): usize {
  if (limit.cells.count >= limit.maxKeys && !makeRoom(limit, hash, nowMs)) return 0
  // Saved cells are loaded past the bound too: each new key then drops two others, until the bound holds again.
  if (limit.cells.count >= limit.maxKeys && !makeRoom(limit, hash, nowMs)) return 0
  if (limit.onFull != KEEP_ALL && isCrowded(limit.cells, hash)) {
    // Expiry as part of growth: a segment about to grow first gives up its idle cells. Where those are few it grows
    // all the same, or the next insert would look again. Without memory to grow, the room of one idle cell is enough.
    startWalk(segmentIndex(limit.cells, hash), 0)
    const swept = sweepCells(limit, nowMs, i32.MAX_VALUE, false)
    if (swept * 4 < segmentRoom(limit.cells, hash) && !growSegment(limit.cells, hash) && swept == 0)
      return refuseForMemory(limit)
  }
  const cell = insertCell(limit.cells, hash)
  return cell == 0 ? refuseForMemory(limit) : cell
}

/** Tells of a key that is refused since memory ends: nothing says when there is some. Returns 0, no cell. */
export function refuseForMemory(limit: Limit): usize {
  roomAfterMs = ruleAt(limit, 0).periodMs
  roomRule = 0
  return 0
}
