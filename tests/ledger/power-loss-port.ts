import type { LedgerPort, LogRow, SqlPort, SqlValue } from "../../src/ledger/sql-port.js"
import type { Random } from "../../src/simulate/random.js"
import { turn } from "./watched-port.js"

interface Statement {
  readonly text: string
  readonly values: readonly SqlValue[]
}

/** Longest that a sync takes, in turns of the event loop. */
const SYNC_TURNS = 6

/**
 * A store whose writes become durable some turns of the event loop after they were made, where the ledger leaves that
 * to it, and else at once with all before them: as a write-ahead log that is synced. A loss of power forgets the
 * others.
 */
export class PowerLossPort implements LedgerPort {
  readonly sql: SqlPort
  readonly #live: LedgerPort
  readonly #disk: LedgerPort
  readonly #random: Random
  /** Transactions that were made and are not durable, the oldest first. */
  readonly #pending: (readonly Statement[])[] = []
  #durable = 0
  #isBeside = false
  #isLost = false
  /** Writes that were left to the store. */
  beside = 0

  /**
   * @param live what the ledger sees
   * @param disk what is durable of it
   */
  constructor(live: LedgerPort, disk: LedgerPort, random: Random) {
    this.#live = live
    this.#disk = disk
    this.#random = random
    let within: Statement[] | null = null
    const made = (statements: readonly Statement[]) => {
      this.#pending.push(statements)
      if (!this.#isBeside) this.#sync(this.#pending.length)
    }
    this.sql = {
      run: (text: string, ...values: SqlValue[]): void => {
        live.sql.run(text, ...values)
        // Rows are lent, not given.
        const copied = values.map((value) => (typeof value === "number" ? value : value.slice()))
        if (within === null) made([{ text, values: copied }])
        else within.push({ text, values: copied })
      },
      rows: (text: string, ...values: SqlValue[]): Iterable<LogRow> => live.sql.rows(text, ...values),
      transaction: <T>(work: () => T): T => {
        within = []
        try {
          const result = live.sql.transaction(work)
          made(within)
          return result
        } finally {
          within = null
        }
      },
    }
  }

  durably(write: () => void): Promise<void> {
    this.#isBeside = true
    this.beside += 1
    try {
      write()
    } finally {
      this.#isBeside = false
    }
    return this.#syncLater(this.#durable + this.#pending.length)
  }

  /** @param number counts the transactions */
  async #syncLater(number: number): Promise<void> {
    for (let turns = this.#random.below(SYNC_TURNS); turns >= 0; turns--) await turn()
    // Nobody hears any more.
    if (this.#isLost) await new Promise(() => {})
    this.#sync(number - this.#durable)
  }

  #sync(count: number): void {
    if (this.#isLost) return
    for (const statements of this.#pending.splice(0, Math.max(0, count))) {
      this.#durable += 1
      this.#disk.sql.transaction(() => {
        for (const { text, values } of statements) this.#disk.sql.run(text, ...values)
      })
    }
  }

  /** What is there when the power comes back: all that is durable, and of the rest as much as was written by chance. */
  lose(): LedgerPort {
    this.#sync(this.#random.below(this.#pending.length + 1))
    this.#isLost = true
    return this.#disk
  }

  sha256(bytes: Uint8Array) {
    return this.#live.sha256(bytes)
  }

  defer(work: () => void): void {
    this.#live.defer(work)
  }

  /** What waits for its time waits for ever: the tests say when something is flushed. */
  after(): void {}
}
