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
  beganAtMs: number
}

/** Checks that one call carries. */
const MAX_TOGETHER = 64
/** So many calls that are full go out without waiting for each other. */
const MAX_FULL = 4
/** Checks that wait for calls of one object. */
export const MAX_WAITING = 4_096
/** So long one waits for a call under way, at most, before another goes out; twice as long for each further one. */
const PATIENCE_MS = 5
/** A call that takes so long does not count any more: its object hangs, or the request that made it is gone. */
const CALL_LOST_MS = 1_000
/** An object of which nothing was heard for so long is forgotten, when room is made. */
const LANE_LOST_MS = 60_000
/** Objects with calls under way before those are looked for that were forgotten about. */
const MANY_LANES = 1_024

/**
 * Says which checks of one object go out alone, and which share a call.
 *
 * A check that finds no call of its object under way goes out at once. Beside one it waits, and goes out with the
 * others that wait, up to 64 in a call, as soon as that call has returned, or 5 ms have passed since it was sent; 10 ms
 * beside two calls, 20 beside three. So many checks share few calls, an object far away makes nobody wait for long, and
 * one that hangs is asked ever less often. A full call goes out at once beside up to three others.
 *
 * It makes no calls and sets no timers: on Workers a call belongs to the request that makes it, so those who wait are
 * sent by whoever is there. A call whose request is cancelled never returns, and after a second does not count any
 * more.
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
    const lane = this.#laneOf(name, nowMs)
    return lane.waiting.length === 0 ? beginCall(lane, nowMs) : null
  }

  /** Lets a check wait that `begin` sent away. Its place in the line from 1; above `MAX_WAITING` it may not wait. */
  wait(name: string, waiting: Waiting, nowMs: number): number {
    const { waiting: line } = this.#laneOf(name, nowMs)
    return line.length < MAX_WAITING ? line.push(waiting) : MAX_WAITING + 1
  }

  /** How long until there is room for a call, if none returns before; ms. */
  patienceMs(name: string, nowMs: number): number {
    const lane = this.#lanes.get(name)
    return lane === undefined || hasRoom(lane, nowMs) ? 0 : lane.beganAtMs + patienceWith(lane.calls.length) - nowMs
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
    return { call, waiting: lane.waiting.splice(0, MAX_TOGETHER) }
  }

  /** A call returned, or failed. Whether checks wait, so that `take` is to be asked. */
  end(call: CallUnderWay<Waiting>): boolean {
    const { lane } = call
    const at = lane.calls.indexOf(call)
    // One that was given up does not count already. Those that were sent before it will hardly return any more.
    if (at !== -1) {
      lane.calls.splice(0, at + 1)
      this.#dropIfIdle(lane)
    }
    return lane.waiting.length > 0
  }

  #laneOf(name: string, nowMs: number): Lane<Waiting> {
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      if (this.#lanes.size >= this.#sweepAt) this.#sweep(nowMs)
      lane = { name, calls: [], waiting: [], beganAtMs: nowMs }
      this.#lanes.set(name, lane)
    }
    return lane
  }

  #dropIfIdle(lane: Lane<Waiting>): void {
    if (lane.calls.length > 0 || lane.waiting.length > 0) return
    if (this.#lanes.get(lane.name) === lane) this.#lanes.delete(lane.name)
  }

  /** Calls whose request was cancelled never end. */
  #sweep(nowMs: number): void {
    for (const [name, { beganAtMs }] of this.#lanes) {
      if (Math.abs(nowMs - beganAtMs) > LANE_LOST_MS) this.#lanes.delete(name)
    }
    this.#sweepAt = Math.max(MANY_LANES, this.#lanes.size * 2)
  }
}

/** Begins a call where there is room for one. */
function beginCall<Waiting>(lane: Lane<Waiting>, nowMs: number): CallUnderWay<Waiting> | null {
  if (!hasRoom(lane, nowMs)) return null
  const call = { lane, sinceMs: nowMs }
  lane.calls.push(call)
  lane.beganAtMs = nowMs
  return call
}

function hasRoom<Waiting>({ calls, waiting, beganAtMs }: Lane<Waiting>, nowMs: number): boolean {
  if (waiting.length >= MAX_TOGETHER && calls.length < MAX_FULL) return true
  while (calls.length > 0 && Math.abs(nowMs - calls[0]!.sinceMs) >= CALL_LOST_MS) calls.shift()
  return calls.length === 0 || Math.abs(nowMs - beganAtMs) >= patienceWith(calls.length)
}

/** @param calls under way */
function patienceWith(calls: number): number {
  return PATIENCE_MS * 2 ** (calls - 1)
}
