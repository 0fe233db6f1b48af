/** A call that is under way, as far as it is known. */
export interface CallUnderWay<Waiting> {
  readonly lane: Lane<Waiting>
  readonly sinceMs: number
}

/** What goes out as one call, the one that waited longest first. */
export interface CallLoad<Waiting> {
  readonly call: CallUnderWay<Waiting>
  readonly waiting: readonly Waiting[]
}

/** The calls of one object, and what waits for one of them to return. */
interface Lane<Waiting> {
  readonly name: string
  readonly calls: CallUnderWay<Waiting>[]
  readonly waiting: Waiting[]
  usedAtMs: number
}

/** So many calls of one object are under way before more waits to share one. */
const MOST_UNDER_WAY = 4
/** Checks that one call carries. */
const MOST_TOGETHER = 64
/** Checks that wait for calls of one object. */
export const MOST_WAITING = 4_096
/**
 * A call that takes so long does not count any more: its object is far away, or hangs, or the request that made it is
 * gone. So nobody waits longer to be sent, but for those who came before.
 */
export const CALL_LOST_MS = 50
/** An object of which nothing was heard for so long is forgotten, when room is made. */
const LANE_LOST_MS = 60_000
/** Objects with calls under way before those are looked for that were forgotten about. */
const MANY_LANES = 1_024

/**
 * Says which checks of one object go out alone, and which share a call.
 *
 * Up to four calls of an object are under way at once: a check that finds fewer goes out at once. Beyond that checks
 * wait, and when a call returns up to 64 of them go out as one. It makes no calls and sets no timers: on Workers a call
 * belongs to the request that makes it, so those who wait are sent by whoever is there when there is room.
 *
 * @typeParam Waiting what is known of a check that waits
 */
export class SharedCalls<Waiting> {
  /** Those of objects with calls under way. */
  readonly #lanes = new Map<string, Lane<Waiting>>()
  #sweepAt = MANY_LANES

  /** Objects of which something is under way or waits. */
  get size(): number {
    return this.#lanes.size
  }

  /** Begins the call of one check that need not wait; `null` where it must. `end` is to follow. */
  begin(name: string, nowMs: number): CallUnderWay<Waiting> | null {
    const lane = this.#lanes.get(name) ?? this.#addLane(name, nowMs)
    return lane.waiting.length === 0 ? beginCall(lane, nowMs) : null
  }

  /** Lets a check wait that `begin` sent away. Whether it may: not where too many do already. */
  wait(name: string, waiting: Waiting, nowMs: number): boolean {
    const lane = this.#lanes.get(name) ?? this.#addLane(name, nowMs)
    if (lane.waiting.length >= MOST_WAITING) return false
    lane.waiting.push(waiting)
    return true
  }

  /** Takes out a check that waits no longer. One that was sent already is not here any more. */
  leave(name: string, waiting: Waiting): void {
    const lane = this.#lanes.get(name)
    const at = lane?.waiting.indexOf(waiting) ?? -1
    if (lane === undefined || at === -1) return
    lane.waiting.splice(at, 1)
    this.#dropIfIdle(lane)
  }

  /**
   * Begins a call for those who wait longest, where there are any and room for a call. `end` is to follow. To be asked
   * after a check began to wait, and after a call of the object returned.
   */
  take(name: string, nowMs: number): CallLoad<Waiting> | null {
    const lane = this.#lanes.get(name)
    if (lane === undefined || lane.waiting.length === 0) return null
    const call = beginCall(lane, nowMs)
    if (call === null) return null
    return { call, waiting: lane.waiting.splice(0, MOST_TOGETHER) }
  }

  /** A call returned, or failed. */
  end(call: CallUnderWay<Waiting>): void {
    const { lane } = call
    const at = lane.calls.indexOf(call)
    // One that was given up does not count already.
    if (at === -1) return
    lane.calls.splice(at, 1)
    this.#dropIfIdle(lane)
  }

  #addLane(name: string, nowMs: number): Lane<Waiting> {
    if (this.#lanes.size >= this.#sweepAt) this.#sweep(nowMs)
    const lane: Lane<Waiting> = { name, calls: [], waiting: [], usedAtMs: nowMs }
    this.#lanes.set(name, lane)
    return lane
  }

  #dropIfIdle(lane: Lane<Waiting>): void {
    if (lane.calls.length > 0 || lane.waiting.length > 0) return
    if (this.#lanes.get(lane.name) === lane) this.#lanes.delete(lane.name)
  }

  /** Calls whose request was cancelled never end. */
  #sweep(nowMs: number): void {
    for (const [name, { usedAtMs }] of this.#lanes) {
      if (Math.abs(nowMs - usedAtMs) > LANE_LOST_MS) this.#lanes.delete(name)
    }
    this.#sweepAt = Math.max(MANY_LANES, this.#lanes.size * 2)
  }
}

/** Begins a call where fewer than may be are under way. One that was lost makes room. */
function beginCall<Waiting>(lane: Lane<Waiting>, nowMs: number): CallUnderWay<Waiting> | null {
  const { calls } = lane
  if (calls.length >= MOST_UNDER_WAY) {
    const lost = calls.findIndex(({ sinceMs }) => Math.abs(nowMs - sinceMs) >= CALL_LOST_MS)
    if (lost === -1) return null
    calls.splice(lost, 1)
  }
  const call = { lane, sinceMs: nowMs }
  calls.push(call)
  lane.usedAtMs = nowMs
  return call
}
