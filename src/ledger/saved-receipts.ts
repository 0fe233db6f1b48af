import { ClosedReceipts } from "../engine/closed-receipts.js"
import type { Receipt } from "../types/receipt.js"
import type { ChargeChunk } from "./charge-chunk.js"
import { ChargeSet } from "./charge-set.js"

const HOUR_MS = 3_600_000
/**
 * An eighth of what an isolate of Workers has, and a quarter while a save holds all: 100 million that lie close
 * together.
 */
const MAX_BYTES = 2 ** 24

/** A receipt, as far as it is noted. */
interface Noted extends Pick<Receipt, "chargedAtMs"> {
  /** The number of its charge with its limit. */
  readonly chargeNumber: number
}

/**
 * The settled receipts of a limit that a snapshot holds: saved little by little, while others are settled. They are
 * forgotten only when a save begins, by chunks of charges that follow each other: so what is forgotten follows from the
 * log.
 */
export class SavedReceipts extends ClosedReceipts<Noted> {
  readonly #mostBytes: number
  readonly #settled = new ChargeSet()

  /** @param mostBytes where they take more than half of this, the oldest are forgotten before they are too old */
  constructor(mostBytes = MAX_BYTES) {
    super()
    this.#mostBytes = mostBytes
  }

  /** What those that are remembered take in memory. */
  get bytes(): number {
    return this.#settled.bytes
  }

  /** Whether no more can be settled before a save begins. */
  get isFull(): boolean {
    return this.bytes >= this.#mostBytes
  }

  /** Those that were settled and not forgotten, in ascending order. */
  get chunks(): readonly ChargeChunk[] {
    return this.#settled.chunks
  }

  /** Whether the receipt of a charge was settled, as long as that is remembered. */
  has(chargeNumber: number): boolean {
    return this.#settled.has(chargeNumber)
  }

  protected override isSettled({ chargeNumber }: Noted): boolean {
    return this.has(chargeNumber)
  }

  override add(receipt: Noted, nowMs: number, keepMs: number): boolean {
    if (!this.isOpen(receipt, nowMs, keepMs)) return false
    this.#settled.add(receipt.chargeNumber, receipt.chargedAtMs)
    return true
  }

  /** Puts back what was saved. @throws {MalformedBytes} where it was not saved after all that was put back before */
  restore(chunk: ChargeChunk): void {
    this.#settled.append(chunk)
  }

  /**
   * Forgets those that cannot be settled at a time, and the oldest of too many, whose time stays closed. Starts to save
   * the others: `saveNext` tells them.
   */
  beginSave(nowMs: number, keepMs: number): void {
    this.forgetResets(nowMs, keepMs)
    const beyondMs = this.#settled.latestBeyond(this.#mostBytes / 2) ?? Number.NEGATIVE_INFINITY
    // However many there are, those of the last hour stay, where their time is not closed: others would be closed with
    // them.
    const forgottenMs = this.#settled.forgetBefore(
      Math.max(this.closedBeforeMs, nowMs - keepMs, Math.min(beyondMs + 1, nowMs - HOUR_MS)),
    )
    if (forgottenMs !== null) this.closeBefore(forgottenMs + 1)
    this.beginCopy()
  }

  /** Starts to save all, and forgets none: `saveNext` tells them. */
  beginCopy(): void {
    this.#settled.hold()
  }

  /** The next of those that were there when the save was begun; `undefined` at the end. */
  saveNext(): ChargeChunk | undefined {
    return this.#settled.takeHeld()
  }
}
