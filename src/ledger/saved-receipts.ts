import { SettledReceipts } from "../engine/settled-receipts.js"

const HOUR_MS = 3_600_000
/** V8 keeps at most 2^24 entries in a map, of which deleted ones take up to half. */
const MOST_HELD = 2 ** 23

const NONE: ReadonlyMap<string, number> = new Map()

/** A receipt that was settled, as a snapshot holds it. */
type SettledReceipt = readonly [id: string, chargedAtMs: number]

/** Those whose charges were in one hour, but for those that the save that goes on forgets with their hour. */
interface Hour {
  count: number
  /** The latest charge of them. */
  latestMs: number
}

interface Save {
  readonly receipts: Iterator<[string, number], undefined>
  left: number
  /** The first hour that was not forgotten when it began; `null` where nothing is forgotten. */
  readonly fromHour: number | null
}

/**
 * The settled receipts of a limit that a snapshot holds: saved little by little, while others are settled. They are
 * forgotten only when a save begins, by the hours of their charges: so what is forgotten follows from the log, and telling
 * it does not cost their number.
 */
export class SavedReceipts extends SettledReceipts {
  readonly #mostHeld: number
  /** By the hour's number. */
  #hours: Map<number, Hour> | null = null
  #save: Save | null = null

  /** @param mostHeld of half as many the oldest are forgotten when a save begins, before they are too old */
  constructor(mostHeld = MOST_HELD) {
    super()
    this.#mostHeld = mostHeld
  }

  /** Whether no more can be settled before a save begins. */
  get isFull(): boolean {
    return (this.byId?.size ?? 0) >= this.#mostHeld
  }

  /** Every one that was settled and not forgotten, in the order of settling. */
  inOrder(): Iterator<SettledReceipt, undefined> {
    return (this.byId ?? NONE).entries()
  }

  override restore(id: string, chargedAtMs: number): void {
    super.restore(id, chargedAtMs)
    this.#hours ??= new Map()
    const number = hourOf(chargedAtMs)
    const hour = this.#hours.get(number)
    if (hour === undefined) this.#hours.set(number, { count: 1, latestMs: chargedAtMs })
    else {
      hour.count += 1
      hour.latestMs = Math.max(hour.latestMs, chargedAtMs)
    }
  }

  /** Drops nothing, however many there are: only `beginSave` may. */
  override prune(): void {}

  /** Forgets those of the hours that are too old at a time, and starts to save the others: `saveSome` tells them. */
  beginSave(nowMs: number, keepMs: number): void {
    this.forgetResets(nowMs, keepMs)
    const { byId } = this
    if (byId === null) return
    const hours = [...(this.#hours ?? [])].sort(([one], [other]) => one - other)
    let held = byId.size
    let fromHour = Number.POSITIVE_INFINITY
    for (const [number, { count, latestMs }] of hours) {
      const endMs = (number + 1) * HOUR_MS
      // Where they are too many, those of the last hour stay: a call that is repeated may still ask for its admission.
      const isOneTooMany = held > this.#mostHeld / 2 && endMs + HOUR_MS <= nowMs
      if (endMs + keepMs > nowMs && !isOneTooMany) {
        fromHour = number
        break
      }
      held -= count
      this.#hours!.delete(number)
      this.closeBefore(latestMs + 1)
    }
    this.#save = { receipts: byId.entries(), left: byId.size, fromHour }
  }

  /** Starts to save all, and forgets none: `saveSome` tells them. */
  beginCopy(): void {
    const { byId } = this
    if (byId !== null) this.#save = { receipts: byId.entries(), left: byId.size, fromHour: null }
  }

  /** Up to so many of those that were there when the save was begun; `null` at the end. */
  saveSome(count: number): readonly SettledReceipt[] | null {
    const save = this.#save
    if (save === null || save.left === 0) {
      this.#save = null
      return null
    }
    const some: SettledReceipt[] = []
    for (let looked = 0; looked < count && save.left > 0; looked++) {
      const receipt: SettledReceipt = save.receipts.next().value!
      save.left -= 1
      // It cannot be settled any more, whether it is known or not.
      if (save.fromHour !== null && receipt[1] < this.closedBeforeMs) this.#forget(receipt, save.fromHour)
      else some.push(receipt)
    }
    return some
  }

  #forget([id, chargedAtMs]: SettledReceipt, fromHour: number): void {
    this.byId!.delete(id)
    const number = hourOf(chargedAtMs)
    // A change of the policy may close a part of an hour. Of one that was forgotten others may have come, which count anew.
    if (number >= fromHour) this.#hours!.get(number)!.count -= 1
  }
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS)
}
