import { isWhole, liveCells, placeSegment } from "./table/restore"
import { firstSegmentAt, segmentAt, startRounds } from "./table/segment"
import { Segment, Table, chunkBytes, chunkOf } from "./table/table"

/*
 * A table as it lies in memory, in records of one chunk each: to dump a table or to restore it costs about as much as
 * to copy it. There is no pointer in a record, so it fits wherever memory is. (A sliding log's cells have pointers to
 * their rings: those are saved cell by cell.)
 *
 *   record  │ kind u32 │ bytes u32 │ table: depth u16, chunk groups u16 │ segment: index u32, depth u32, groups u32, count u32 │
 *           │ chunk u32 │ the chunk's groups, as in the table │
 */
const HEAD_BYTES: usize = 32

/** Where the dump of a table stands: the directory's index of a segment, and which of its chunks. */
let dumpSegment: u32 = 0
let dumpChunk: u32 = 0

export function startDump(): void {
  dumpSegment = 0
  dumpChunk = 0
}

/** Bytes of each of a table's records. */
function recordBytes(table: Table): usize {
  return HEAD_BYTES + chunkBytes(table, table.chunkGroups)
}

/** Bytes of all records of a table. */
export function dumpBytes(table: Table): f64 {
  if (table.directory == 0) return 0
  let chunks: u32 = 0
  for (let index: u32 = 0; index < (<u32>1) << table.depth; index++) {
    const segment = firstSegmentAt(table, index)
    if (segment !== null) chunks += segment.groups / table.chunkGroups
  }
  return <f64>chunks * <f64>recordBytes(table)
}

/** Writes the next records that fit into `room` bytes. Returns their bytes; 0 at the end, or where none fits. */
export function dumpNext(table: Table, kind: i32, output: usize, room: usize): usize {
  if (table.directory == 0) return 0
  const bytes = recordBytes(table)
  let written: usize = 0
  while (dumpSegment < (<u32>1) << table.depth) {
    const segment = firstSegmentAt(table, dumpSegment)
    // A segment that several entries show belongs to the first of them.
    if (segment === null || dumpChunk == segment.groups / table.chunkGroups) {
      dumpSegment += 1
      dumpChunk = 0
      continue
    }
    if (room - written < bytes) return written
    const record = output + written
    store<u32>(record, kind)
    store<u32>(record, <u32>bytes, 4)
    store<u32>(record, table.depth | (table.chunkGroups << 16), 8)
    store<u32>(record, dumpSegment, 12)
    store<u32>(record, segment.depth, 16)
    store<u32>(record, segment.groups, 20)
    store<u32>(record, segment.count, 24)
    store<u32>(record, dumpChunk, 28)
    memory.copy(record + HEAD_BYTES, chunkOf(segment, dumpChunk), bytes - HEAD_BYTES)
    written += bytes
    dumpChunk += 1
  }
  return written
}

/** Cells of the chunks that were restored, of each kind of table: u32. */
const restoredCells = memory.data(3 * 4, 4)

/** Puts a record into a table that holds nothing but records that came before it. False where it cannot be one. */
export function restoreRecord(table: Table, kind: i32, record: usize, bytes: usize): bool {
  if (bytes < HEAD_BYTES || load<u32>(record) != <u32>kind) return false
  const cells = restoredCells + ((<usize>kind) << 2)
  if (table.directory == 0) store<u32>(cells, 0)
  const depth = load<u32>(record, 8) & 0xffff
  const chunkGroups = load<u32>(record, 8) >> 16
  const index = load<u32>(record, 12)
  const segmentDepth = load<u32>(record, 16)
  const groups = load<u32>(record, 20)
  const count = load<u32>(record, 24)
  const chunk = load<u32>(record, 28)
  if (chunk == 0 && !placeSegment(table, depth, chunkGroups, index, segmentDepth, groups, count)) return false
  const segment = segmentAt(table, index)
  if (segment === null || segment.depth != segmentDepth || segment.groups != groups || segment.count != count)
    return false
  if (chunk >= groups / table.chunkGroups || bytes != recordBytes(table)) return false
  memory.copy(chunkOf(segment, chunk), record + HEAD_BYTES, bytes - HEAD_BYTES)
  // The groups have the numbers of the saves of the limit that was dumped.
  startRounds(table, chunkOf(segment, chunk), table.chunkGroups)
  store<u32>(cells, load<u32>(cells) + liveCells(table, chunkOf(segment, chunk)))
  return true
}

/** Whether the records made a whole table: a segment for every hash, and as many cells as they said. */
export function endRestore(table: Table, kind: i32): bool {
  return isWhole(table, load<u32>(restoredCells + ((<usize>kind) << 2)))
}

/** Odd multipliers of the four lanes: the first 256 bits of the golden ratio's fraction, made odd. */
const FIRST: u64 = 0x9e3779b97f4a7c15
const SECOND: u64 = 0xf39cc0605cedc835
const THIRD: u64 = 0x1082276bf3a27251
const FOURTH: u64 = 0xf86c6a11d0c18e95

/**
 * Carries a checksum of 32 bytes on over `bytes` more, a multiple of 32. Each step of a lane is a bijection of the word
 * and of the lane, so a change of one word always shows.
 */
export function checksum(state: usize, input: usize, bytes: usize): void {
  let first = load<u64>(state)
  let second = load<u64>(state, 8)
  let third = load<u64>(state, 16)
  let fourth = load<u64>(state, 24)
  const end = input + bytes
  for (; input < end; input += 32) {
    first = rotl(first ^ load<u64>(input), 29) * FIRST
    second = rotl(second ^ load<u64>(input, 8), 29) * SECOND
    third = rotl(third ^ load<u64>(input, 16), 29) * THIRD
    fourth = rotl(fourth ^ load<u64>(input, 24), 29) * FOURTH
  }
  store<u64>(state, first)
  store<u64>(state, second, 8)
  store<u64>(state, third, 16)
  store<u64>(state, fourth, 24)
}
