import type { Core } from "../../src/engine/core.js"

const MAX_SMALL = 65_536

/** Takes all memory that a core can still have, and every small block that was given back. */
export function takeAll(core: Core): void {
  const take = (bytes: number) => {
    while (core.exports.memoryTake(bytes) !== 0);
  }
  for (let bytes = 2 ** 30; bytes > MAX_SMALL; bytes /= 2) take(bytes)
  for (let bytes = MAX_SMALL; bytes >= 128; bytes -= 128) take(bytes)
  take(64)
}
