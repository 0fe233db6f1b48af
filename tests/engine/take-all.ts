import type { Core } from "../../src/engine/core.js"

/** Takes all memory that a core can still have. */
export function takeAll(core: Core): void {
  for (let bytes = 2 ** 30; bytes >= 64; bytes /= 2) while (core.exports.memoryTake(bytes) !== 0);
}
