import type { Writable } from "node:stream"
import { ThrottledNotice } from "./throttled-notice.node.js"

/** Lines of a log that may wait for a reader who takes none, in bytes. */
const MAX_WAITING_BYTES = 2 ** 20
/** How long the end waits for the lines of a log, in ms. A server is to be gone in ten seconds. */
const LAST_LINES_MS = 1_000

/** Nobody reads, or no disk takes, what a command tells: there is nothing left for it to do. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed"
}

/**
 * Standard output, which may go away while a command writes: a pipe whose reader has ended, a terminal that was closed,
 * a full disk. What a command is there to tell ends with it; the work of a server does not, for which it is a log.
 */
export class StandardOutput {
  readonly #stream: Writable
  readonly #tell: (line: string) => void
  readonly #closed = new AbortController()
  readonly #telling = new ThrottledNotice(() => this.#tellLost())
  #failure: NodeJS.ErrnoException | null = null
  #lossReason = ""
  #isLosing = false
  /** Texts that a command told and that are not out yet. */
  #untold = 0
  #noteTold = () => {}

  /** @param tell takes a line about what cannot be written */
  constructor(stream: Writable, tell: (line: string) => void) {
    this.#stream = stream
    this.#tell = tell
    // Each write hears of its own failure.
    stream.on("error", () => {})
  }

  /** Aborted when what `write` was given could not be written. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Writes what a command tells. @throws {OutputClosed} where an earlier text could not be written */
  write(text: string): void {
    if (this.#failure !== null) throw new OutputClosed()
    this.#untold++
    this.#stream.write(text, (error) => {
      this.#untold--
      if (error && this.#failure === null) this.#fail(error)
      if (this.#untold === 0) this.#noteTold()
    })
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#failure = error
    this.#closed.abort()
    // Whoever reads may stop early, as head does.
    if (error.code !== "EPIPE") this.#tell(`error: Cannot write to standard output: ${error.message}.`)
  }

  /** Writes lines of a log. What cannot be written is lost; that it begins to be lost is told, every 10 s at most. */
  log(text: string): void {
    if (this.#stream.writableLength > MAX_WAITING_BYTES) this.#noteLost("nobody reads on")
    else this.#stream.write(text, (error) => (error ? this.#noteLost(error.message) : this.#noteLogged()))
  }

  #noteLogged(): void {
    if (this.#stream.writableLength <= MAX_WAITING_BYTES / 2) this.#isLosing = false
  }

  #noteLost(reason: string): void {
    if (this.#isLosing) return
    this.#isLosing = true
    this.#lossReason = reason
    this.#telling.note()
  }

  #tellLost(): void {
    this.#tell(`Cannot write to standard output: ${this.#lossReason}; lines are lost until that takes them again.`)
  }

  /**
   * Resolves when every text that a command told is written or lost, however long its reader takes, and lines of a log
   * are or a second has passed.
   *
   * @returns whether all that a command told is out, or nobody read on
   */
  async end(): Promise<boolean> {
    if (this.#untold > 0) {
      await new Promise<void>((resolve) => {
        this.#noteTold = resolve
      })
    }
    if (this.#stream.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#stream.write("", () => resolve())
        setTimeout(resolve, LAST_LINES_MS)
      })
    }
    this.#telling.end()
    return this.#failure === null || this.#failure.code === "EPIPE"
  }
}
