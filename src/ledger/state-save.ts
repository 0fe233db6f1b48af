import { ByteWriter } from "./byte-writer.js"
import type { LimitHome, OwnLimit, Saver } from "./own-limit.js"
import { SavedLimit, type SaveRules } from "./saved-limit.js"

const NOTHING = new Uint8Array(0)
const DISCARDED_BYTES = 1_000_000

/** What a state is as a whole, when a save begins. */
export interface SavedHead {
  readonly timeMs: number
  /** The number of the sync mode. */
  readonly sync: number
  /** Numbers of limits that were given so far. */
  readonly numbers: number
  /** New limits number their charges above this number. */
  readonly chargesAfter: number
}

/**
 * A state that is being saved as it is when this is made, and forgets what says nothing, in small steps while it goes
 * on being asked and changed. A limit begins to be saved when its turn comes, or before it is looked at: so beginning
 * costs nothing, however much there is. Equal histories give the same pieces, in an order that depends on what came
 * between.
 *
 * Where the core has no memory for a cell, what was saved is worth nothing. It is still worked on to the end, since the
 * log tells that the state forgets.
 *
 *   state  │ time of the last record f64 │ sync mode varint │ numbers of limits given so far varint │
 *          │ number that new limits number their charges above varint │ pieces … │
 */
export class StateSave implements Saver {
  readonly #home: LimitHome
  readonly #rules: SaveRules | null
  readonly #steps: Iterator<void, void>
  /** Limits that have begun to be saved, and are not yet. */
  readonly #saved = new Map<OwnLimit, SavedLimit>()
  #writer = new ByteWriter()
  /** What was written beyond what `next` was asked for. */
  #rest: Uint8Array = NOTHING
  #isEnded = false
  #isLost = false

  /**
   * @param limits those that there are now
   * @param rules what is forgotten; nothing where it is `null`, and then the state stays as it is
   */
  constructor(home: LimitHome, limits: readonly OwnLimit[], head: SavedHead, rules: SaveRules | null) {
    this.#home = home
    this.#rules = rules
    this.#writer.f64(head.timeMs)
    this.#writer.varint(head.sync)
    this.#writer.varint(head.numbers)
    this.#writer.varint(head.chargesAfter)
    this.#steps = this.#save(limits)
    home.saver = this
  }

  begin(limit: OwnLimit): void {
    if (limit.savedBy === this) return
    limit.savedBy = this
    this.#saved.set(limit, new SavedLimit(limit, () => this.#writer, this.#rules))
  }

  finish(limit: OwnLimit): void {
    this.begin(limit)
    const saved = this.#saved.get(limit)
    if (saved === undefined) return
    while (!saved.steps.next().done);
    this.#end(saved)
  }

  adopt(limit: OwnLimit): boolean {
    this.begin(limit)
    const saved = this.#saved.get(limit)
    if (saved !== undefined) saved.ownsKeys = true
    return saved !== undefined
  }

  *#save(limits: readonly OwnLimit[]): Generator<void, void> {
    for (const limit of limits) {
      this.begin(limit)
      for (let saved = this.#saved.get(limit); saved !== undefined; saved = this.#saved.get(limit)) {
        if (saved.steps.next().done) this.#end(saved)
        else yield
      }
    }
  }

  #end(saved: SavedLimit): void {
    this.#saved.delete(saved.limit)
    if (saved.isLost) this.#isLost = true
    if (saved.ownsKeys) saved.limit.openKeys().free()
  }

  /** Whether cells are missing in what `next` gives: then it is no state. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Whether `next` has given everything. */
  get isDone(): boolean {
    return this.#isEnded && this.#rest.length === 0 && this.#writer.length === 0
  }

  /**
   * Works on until about `bytes` more are there, or `room` altogether.
   *
   * @returns whether there is as much as `next(room)` can give: `room` bytes, or all that is left
   */
  work(bytes: number, room: number): boolean {
    const end = Math.min(this.#rest.length + this.#writer.length + bytes, room)
    while (!this.#isEnded && this.#rest.length + this.#writer.length < end) {
      if (this.#steps.next().done) this.#endAll()
    }
    return this.#isEnded || this.#rest.length + this.#writer.length >= room
  }

  /** The next bytes, at most so many. */
  next(room: number): Uint8Array {
    if (this.#rest.length < room) this.#joinRest()
    const next = this.#rest.subarray(0, room)
    this.#rest = this.#rest.subarray(room)
    return next
  }

  #joinRest(): void {
    const joined = new Uint8Array(this.#rest.length + this.#writer.length)
    joined.set(this.#rest)
    joined.set(this.#writer.copy(), this.#rest.length)
    this.#rest = joined
    this.#writer = new ByteWriter()
  }

  #endAll(): void {
    this.#isEnded = true
    this.#home.saver = null
  }

  /** Does all that is left, and discards the bytes. */
  run(): void {
    while (!this.isDone) {
      this.work(DISCARDED_BYTES, DISCARDED_BYTES)
      this.next(DISCARDED_BYTES)
    }
  }

  /** Frees what only this one holds. */
  free(): void {
    for (const { ownsKeys, limit } of this.#saved.values()) if (ownsKeys) limit.openKeys().free()
    this.#saved.clear()
    if (this.#home.saver === this) this.#home.saver = null
  }
}
