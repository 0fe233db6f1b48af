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
    this.#ledger.abandon()
    this.#ledger = await this.#store.openLedger()
    return this.#ledger
  }

  /** Looks at everything that can be wrong with the store. */
  async doctor(): Promise<DoctorReport> {
    return examine(await this.open(), this.#store)
  }

  /** Commits what is left and lets the folder go; closing again does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#opening?.catch(() => undefined)
      await this.#ledger.close()
    } finally {
      this.#store.close()
    }
  }
}
