import { Limit } from "./limit.js"

/** A limit that tells what a limiter by itself need not know: its blocks, and when it says no more than a new one. */
export class PooledLimit extends Limit {
  get blocks(): number {
    return this.core.exports.limitBlocks(this.pointer)
  }

  isIdle(nowMs: number): boolean {
    return this.core.exports.fullAfter(this.pointer, nowMs) === 0
  }
}
