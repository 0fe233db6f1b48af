import { SluiceError, StoreUnavailable } from "../types/errors.js"
import type { LedgerPort } from "./sql-port.js"

/** Reads rows of an open log. @throws {StoreCorrupt} {StoreUnavailable} in place of what the platform throws */
export function readRows<T>(port: LedgerPort, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw readFailure(port, error)
  }
}

/** Why rows could not be read, as an error of a store. */
function readFailure(port: LedgerPort, error: unknown): SluiceError {
  const told = port.storeError?.(error) ?? error
  if (told instanceof SluiceError) return told
  const why = error instanceof Error ? `: ${error.message.replace(/\.$/, "")}` : ""
  return new StoreUnavailable(`the log cannot be read${why}`, { cause: error })
}
