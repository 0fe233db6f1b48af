import { dropCell, fullAfterOf } from "./cell"
import { DENY_NEW, KEEP_ALL, Limit } from "./limit"
import { sweepCells } from "./sweep"
import { growSegment, isCrowded, segmentRoom } from "./table/grow"
import { insertCell } from "./table/insert"
import { CELL_HEAD } from "./table/table"
import { NEIGHBOURS, homeSlot, nextCell, segmentIndex, startWalk } from "./table/walk"

/*
 * Room for a new key: what is idle goes first, then, at the bound, what is nearest to idle.
 */

/** Makes room for a key at `maxKeys`: idle neighbours go, else the neighbour nearest to full. */
export function makeRoom(limit: Limit, hash: u64, nowMs: i64): bool {
  const segment = segmentIndex(limit.cells, hash)
  const slot = homeSlot(limit.cells, hash)
  startWalk(segment, slot)
  // Neighbours that a clock which had jumped left ahead would keep their places for ever if nobody asks for them.
  if (sweepCells(limit, nowMs, NEIGHBOURS, true) > 0) return true
  if (limit.onFull == DENY_NEW) return false
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
    const resetMs = fullAfterOf(limit, cell + CELL_HEAD, nowMs)
    if (resetMs < nearestMs) {
      nearestMs = resetMs
      nearest = cell
    }
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
    if (swept * 4 < segmentRoom(limit.cells, hash) && !growSegment(limit.cells, hash) && swept == 0) return 0
  }
  return insertCell(limit.cells, hash)
}
