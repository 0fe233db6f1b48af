import { KEEP_ALL, Limit } from "./limit"
import { findCell } from "./table/find"
import { isCrowded } from "./table/grow"
import { insertCell } from "./table/insert"
import { removeCell } from "./table/remove"
import { CELL_HEAD } from "./table/table"
import { nextCell, segmentIndex, startWalk, walkEnded, walkSegment } from "./table/walk"

/*
 * The keys that are denied until a time, whatever their quota says.
 */

/** The time until which a key is blocked, 0 where it is not. */
export function blockedUntil(limit: Limit, hash: u64): i64 {
  const cell = findCell(limit.blocks, hash)
  return cell == 0 ? 0 : <i64>load<f64>(cell + CELL_HEAD)
}

/** Removes the blocks that have ended from the segment that a new block would lie in. */
function dropEndedBlocks(limit: Limit, hash: u64, nowMs: i64): void {
  const segment = segmentIndex(limit.blocks, hash)
  startWalk(segment, 0)
  while (walkSegment == segment) {
    const cell = nextCell(limit.blocks, 1)
    if (cell && <i64>load<f64>(cell + CELL_HEAD) <= nowMs) removeCell(limit.blocks, load<u64>(cell))
    if (walkEnded(limit.blocks)) return
  }
}

/** Denies a key until a time, in place of an earlier block. False where as many keys are blocked as may be held. */
export function setBlock(limit: Limit, hash: u64, untilMs: i64, nowMs: i64): bool {
  const blocks = limit.blocks
  let cell = findCell(blocks, hash)
  if (cell == 0) {
    if (limit.onFull != KEEP_ALL && blocks.count > 0 && (blocks.count >= limit.maxKeys || isCrowded(blocks, hash)))
      dropEndedBlocks(limit, hash, nowMs)
    if (blocks.count < limit.maxKeys) cell = insertCell(blocks, hash)
  }
  if (cell == 0) return false
  store<f64>(cell + CELL_HEAD, <f64>untilMs)
  return true
}

export function clearBlock(limit: Limit, hash: u64): bool {
  if (findCell(limit.blocks, hash) == 0) return false
  removeCell(limit.blocks, hash)
  return true
}
