import type { Core } from "../engine/core.js"
import { StoreUnavailable } from "../types/errors.js"

/**
 * What `work` gives. Where it fails after the core was refused memory, that is why, and not what it works with.
 *
 * @throws {StoreUnavailable} or what `work` throws
 */
export function withMemory<T>(core: Core, work: () => T): T {
  const refused = core.exports.memoryRefusals()
  try {
    return work()
  } catch (error) {
    if (core.exports.memoryRefusals() === refused) throw error
    throw new StoreUnavailable("the memory for keys is full", { cause: error })
  }
}
