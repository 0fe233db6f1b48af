import type { Core } from "./core.js"

/** What a saved cell belongs to. */
export const SAVED = { cells: 0, blocks: 1, stats: 2 } as const
export type SavedKind = (typeof SAVED)[keyof typeof SAVED]

/** Nearly every saved cell fits. */
const CELL_ROOM = 4096

/** Every cell of a limit that says something at `nowMs`, as bytes without a pointer in them, in no order. */
export function saveCells(core: Core, limit: number, kind: SavedKind, nowMs: number): Uint8Array[] {
  const { exports } = core
  const cells: Uint8Array[] = []
  let room = CELL_ROOM
  let output = core.takeMemoryBlock(room)
  exports.saveStart()
  for (let cell = exports.saveNext(limit, kind, nowMs); cell !== 0; ) {
    const bytes = exports.saveCell(limit, kind, cell, output, room) >>> 0
    if (bytes > room) {
      exports.memoryGive(output, room)
      room = bytes
      output = core.takeMemoryBlock(room)
      continue
    }
    cells.push(core.bytes.slice(output, output + bytes))
    cell = exports.saveNext(limit, kind, nowMs)
  }
  exports.memoryGive(output, room)
  return cells
}

/**
 * Puts saved cells that lie one after the other into a limit, past `maxKeys` too. False where the bytes cannot be
 * cells, a key is there already, or there is no memory; then those before are back.
 */
export function loadCells(core: Core, limit: number, kind: SavedKind, cells: Uint8Array): boolean {
  return core.withMemoryBlock(cells.length, (pointer) => {
    core.bytes.set(cells, pointer)
    return core.exports.loadCells(limit, kind, pointer, cells.length) === 1
  })
}
