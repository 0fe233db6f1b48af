import type { Clock } from "../../src/types/clock.js"
import { LimiterObject } from "../../worker/sluice-worker.js"

const DAY_MS = 86_400_000

/** The clocks of limiters, by the limiters' names. They outlive the objects, which tests evict. */
const clocks = new Map<string, Clock>()

/** Sets the clock of all objects of a limiter. */
export function setClock(limiterName: string, clock: Clock): void {
  clocks.set(limiterName, clock)
}

/**
 * The object with a clock that its test sets. Its alarms do not come by themselves: a clock that stands in the past
 * would have them come at once, again and again.
 */
export class ClockedLimiterObject extends LimiterObject {
  constructor(...args: ConstructorParameters<typeof LimiterObject>) {
    super(...args)
    const { storage } = this.ctx
    const setAlarm = storage.setAlarm.bind(storage)
    storage.setAlarm = (time, options) => setAlarm(Math.max(Number(time), Date.now() + DAY_MS), options)
  }

  protected override now(): number {
    // A shard's name has the limiter's in third place, an owner's has its own there.
    const parts = this.ctx.id.name!.split("\n")
    return clocks.get(parts[0] || parts[2]!)!.now()
  }
}
