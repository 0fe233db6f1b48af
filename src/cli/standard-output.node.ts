import type { Writable } from "node:stream"
import { ThrottledNotice } from "./throttled-notice.node.js"

/** Nobody reads, or no disk takes, what a command tells: there is nothing left for it to do. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed"
}

/**
 * Standard output, which may go away while a command writes: a pipe whose reader has ended, a terminal that was closed, a
 * full disk. What a command is there to tell ends with it; the work of a server does not, for which it is a log.
 */
export class StandardOutput {
  readonly #stream: Writable
  readonly #tell: (line: string) => void
  readonly #closed = new AbortController()
  readonly #telling = new ThrottledNotice(() => this.#tellLost())
  #failure: NodeJS.ErrnoException | null = null
  #lossReason = ""
  #isLosing = false
  #unwritten = 0
  #noteWritten = () => {}

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
    this.#send(text, (error) => {
      if (error === null || this.#failure !== null) return
      this.#failure = error
      this.#closed.abort()
      // Whoever reads may stop early, as head does.
      if (error.code !== "EPIPE") this.#tell(`error: Cannot write to standard output: ${error.message}.`)
    })
  }

  /** Writes lines of a log. What cannot be written is lost; that it begins to be lost is told, every 10 s at most. */
  log(text: string): void {
    this.#send(text, (error) => {
      const wasLosing = this.#isLosing
      this.#isLosing = error !== null
      if (error === null || wasLosing) return
      this.#lossReason = error.message
      this.#telling.note()
    })
  }

  #tellLost(): void {
    this.#tell(`Cannot write to standard output: ${this.#lossReason}; lines are lost until that takes them again.`)
  }

  #send(text: string, done: (error: NodeJS.ErrnoException | null) => void): void {
    this.#unwritten++
    this.#stream.write(text, (error) => {
      this.#unwritten--
      done(error ?? null)
      if (this.#unwritten === 0) this.#noteWritten()
    })
  }

  /** Resolves when every text is written or lost. @returns whether all that a command told is out, or nobody read on */
  async end(): Promise<boolean> {
    if (this.#unwritten > 0) {
      await new Promise<void>((resolve) => {
        this.#noteWritten = resolve
      })
    }
    this.#telling.end()
    return this.#failure === null || this.#failure.code === "EPIPE"
  }
}
