import type { LedgerPort } from "../../src/ledger/sql-port.js"

/**
 * Gives an empty store. The one that was given before is not used any more, so that a platform with one database
 * may empty it and give it again.
 */
export type MakePort = () => LedgerPort

/** One thing that a ledger must do on every platform. */
export interface LedgerCase {
  /** Unique in the suite. */
  readonly name: string
  /** @throws {Error} where the ledger does not */
  run(makePort: MakePort): Promise<void>
}

export { START_MS } from "../start-ms.js"
