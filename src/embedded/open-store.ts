import type { Ledger } from "../ledger/ledger.js"
import type { Loss } from "../ledger/log-failure.js"
import { SluiceError, StoreUnavailable } from "../types/errors.js"
import type { Awaitable } from "../types/limiter.js"
import { examine } from "./doctor.js"
import type { DoctorReport, EmbeddedStore } from "./embedded-store.js"

/** A store whose ledger is held open until it is closed: it is opened anew where a commit has failed. */
export class OpenStore {
  readonly #store: EmbeddedStore
  #ledger: Ledger
  #opening: Promise<Ledger> | null = null
  #closing: Promise<void> | null = null
  /** Of all ledgers that gave way to another one since somebody last heard of it. */
  #loss: Loss | null = null

  constructor(store: EmbeddedStore, ledger: Ledger) {
    this.#store = store
    this.#ledger = ledger
  }

  /** The folder. */
  get path(): string {
    return this.#store.path
  }

  /** The last ledger that was open: what is told at once. */
  get ledger(): Ledger {
    return this.#ledger
  }

  /**
   * Calls a verb: at once where the ledger is open, else when another one is, after all who wait for that already. So
   * calls are decided in the order in which they are made.
   *
   * @throws {StoreUnavailable} once closed
   */
  use<T>(verb: (ledger: Ledger) => Awaitable<T>): Awaitable<T> {
    const ledger = this.open()
    return ledger instanceof Promise ? ledger.then(verb) : verb(ledger)
  }

  /** The ledger, or the promise of another one where a commit has failed. @throws {StoreUnavailable} once closed */
  open(): Ledger | Promise<Ledger> {
    this.#requireOpen()
    if (this.#opening !== null) return this.#opening
    if (this.#ledger.isOpen) return this.#ledger
    const opening = this.#reopen()
    this.#opening = opening
    const end = () => {
      this.#opening = null
    }
    // The first that hears of it: whoever finds it ended comes after all who waited.
    opening.then(end, end)
    return opening
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new StoreUnavailable("the limiter is closed")
  }

  async #reopen(): Promise<Ledger> {
    this.#noteLoss()
    this.#ledger.abandon()
    try {
      this.#ledger = await this.#store.openLedger()
    } catch (error) {
      if (error instanceof SluiceError) this.#store.onFailure?.(error, 0)
      throw error
    }
    return this.#ledger
  }

  /**
   * Resolves when everything that was told is in the file.
   *
   * @throws {StoreUnavailable} once, also where a commit that nobody waited for has failed meanwhile, and lost what was
   *   told
   */
  async flush(): Promise<void> {
    const ledger = await this.open()
    try {
      await ledger.commit()
    } catch (error) {
      // Who asked hears of it now.
      ledger.takeLoss()
      throw error
    }
    this.#tellLoss()
  }

  #noteLoss(): void {
    const loss = this.#ledger.takeLoss()
    if (loss === null) return
    // What went wrong first says most.
    const { records, cause } = this.#loss ?? { records: 0, cause: loss.cause }
    this.#loss = { records: records + loss.records, cause }
  }

  #tellLoss(): void {
    if (this.#loss === null) return
    const { records, cause } = this.#loss
    this.#loss = null
    throw new StoreUnavailable(`a commit failed, and at most ${records} records that were told are lost`, { cause })
  }

  /** Looks at everything that can be wrong with the store. */
  async doctor(): Promise<DoctorReport> {
    this.#requireOpen()
    return examine(() => this.open(), this.#store)
  }

  /**
   * As `flush`, and lets the folder go; closing again does nothing. What a commit has lost before is told only where
   * nobody heard of it when it failed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#opening?.catch(() => undefined)
      await this.#ledger.close()
    } finally {
      await this.#store.close()
      this.#noteLoss()
      // Told in place of what the last commit failed of: it says that too, and how much was lost.
      if (this.#store.onFailure === undefined) this.#tellLoss()
    }
  }
}
