import { SluiceError, StoreUnavailable } from "../types/errors.js"

export interface FailureOptions {
  /**
   * Called once when a write fails and the ledger closes for good. What it throws is ignored.
   *
   * @param lostRecords how many records that were already answered under `batch` may be missing from the file, at most
   */
  readonly onFailure?: (error: SluiceError, lostRecords: number) => void
}

/** Records that were answered and may not be in the file, because a commit under `batch` has failed. */
export interface Loss {
  /** At most so many. */
  readonly records: number
  readonly cause: SluiceError
}

/** A writer of records, some of which are answered before they are durable. */
interface AnsweringWriter {
  /** How many, at most, are answered and not durable. */
  readonly toldUnwritten: number
}

/** Whether a log can still be asked; why not, where it was closed or a write has failed, and what that has lost. */
export class LogFailure {
  readonly #writer: AnsweringWriter
  readonly #options: FailureOptions
  #cause: SluiceError | null = null
  #loss: Loss | null = null

  constructor(writer: AnsweringWriter, options: FailureOptions) {
    this.#writer = writer
    this.#options = options
  }

  /** What whoever asks from here on is told; `null` while the log is open. */
  get cause(): SluiceError | null {
    return this.#cause
  }

  /** @throws {StoreUnavailable} where the log was closed, or a write has failed */
  requireOpen(): void {
    if (this.#cause !== null) throw this.#cause
  }

  /** Nothing may be asked any more. */
  shut(): void {
    this.#cause ??= new StoreUnavailable("the ledger is closed")
  }

  /**
   * Closes the log for good: what is in memory may not be in the file.
   *
   * @returns what is to be thrown: why it was closed first
   */
  fail(cause: unknown): SluiceError {
    if (this.#cause !== null) return this.#cause
    const told = cause instanceof SluiceError ? cause : commitFailure(cause)
    this.#cause = told
    const records = this.#writer.toldUnwritten
    if (records > 0) this.#loss = { records, cause: told }
    try {
      this.#options.onFailure?.(told, records)
    } catch {
      // Those who wait must learn of the failure, not of what the callback threw.
    }
    return told
  }

  /** Tells once what a commit that failed has lost; `null` where nothing. */
  takeLoss(): Loss | null {
    const loss = this.#loss
    this.#loss = null
    return loss
  }
}

/** Gives the cause in the message too, so that a full disk shows also where only the message is read. */
function commitFailure(cause: unknown): StoreUnavailable {
  const why = cause instanceof Error && cause.message !== "" ? `: ${cause.message.replace(/\.$/, "")}` : ""
  return new StoreUnavailable(`a commit failed${why}`, { cause })
}
