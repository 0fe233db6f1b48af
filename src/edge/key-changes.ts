import { KEY_SLOTS, keySlotOf } from "./key-slot.js"

/** Taken before a question is asked, so that its answer can tell whether the key was changed meanwhile. */
export interface Ticket {
  readonly askedAtMs: number
  /** How many changes of keys there were. */
  readonly changes: number
}

/** Which keys were changed since a ticket was taken. */
export class KeyChanges {
  /** How many changes there were when the last of a group came. */
  readonly #changedAt = new Float64Array(KEY_SLOTS)
  #changes = 0

  ticket(nowMs: number): Ticket {
    return { askedAtMs: nowMs, changes: this.#changes }
  }

  /** A key is being changed. */
  note(name: string): void {
    this.#changedAt[keySlotOf(name)] = ++this.#changes
  }

  /** Whether a key was changed since, or another of its group: that only means that an answer is not remembered. */
  isChanged(name: string, since: Ticket): boolean {
    return since.changes < this.#changedAt[keySlotOf(name)]!
  }
}
