import type { Ledger } from "../ledger/ledger.js"
import { StoreUnavailable } from "../types/errors.js"
import { examine } from "./doctor.js"
import type { DoctorReport, EmbeddedStore } from "./embedded-store.js"

/** A store whose ledger is held open until it is closed: it is opened anew where a commit has failed. */
export class OpenStore {
  readonly #store: EmbeddedStore
  #ledger: Ledger
  #opening: Promise<Ledger> | null = null
  #closing: Promise<void> | null = null
  /** Of a ledger that gave way to another one: nobody has heard of it yet. */
  #loss: StoreUnavailable | null = null

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

  /** The ledger, or the promise of another one where a commit has failed. @throws {StoreUnavailable} once closed */
  open(): Ledger | Promise<Ledger> {
    if (this.#closing !== null) throw new StoreUnavailable("the limiter is closed")
    if (this.#ledger.isOpen) return this.#ledger
    this.#opening ??= this.#reopen().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #reopen(): Promise<Ledger> {
    this.#loss ??= this.#ledger.takeLoss()
    this.#ledger.abandon()
    this.#ledger = await this.#store.openLedger()
    return this.#ledger
  }

  /**
   * Resolves when everything that was told is in the file.
   *
   * @throws {StoreUnavailable} once, also where a commit that nobody waited for has failed meanwhile, and lost what was told
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

  #tellLoss(): void {
    const loss = this.#loss
    this.#loss = null
    if (loss !== null) throw loss
  }

  /** Looks at everything that can be wrong with the store. */
  async doctor(): Promise<DoctorReport> {
    return examine(await this.open(), this.#store)
  }

  /** As `flush`, and lets the folder go; closing again does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#opening?.catch(() => undefined)
      this.#loss ??= this.#ledger.takeLoss()
      await this.#ledger.close()
      this.#tellLoss()
    } finally {
      this.#store.close()
    }
  }
}
