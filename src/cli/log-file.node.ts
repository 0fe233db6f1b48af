import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs"
import process from "node:process"
import { show } from "../types/errors.js"
import { formatCount } from "./format.js"
import { plainText } from "./plain-text.js"
import { ThrottledNotice } from "./throttled-notice.node.js"

const EVERY_MS = 200
const MAX_WAITING = 64 * 1024
/** So much is kept while a pipe is full: its reader may only be busy. */
const MAX_KEPT_BYTES = 1024 * 1024
const LINE_FEED = 0x0a
const NOT_READ = "its reader does not read on"

const { O_APPEND, O_CREAT, O_WRONLY } = constants
/**
 * A pipe whose reader does not read on must not hold the process. It says nothing of files; Windows has no such flag.
 */
const O_NONBLOCK = constants.O_NONBLOCK ?? 0

/**
 * A log of requests, a JSON object a line: when, which method and endpoint, which status, how long. No keys, no tokens,
 * no addresses. Lines are written together; SIGHUP opens the file anew, for whoever rotates it. Lines that cannot be
 * written are lost, which is told: of the first at once, then every 10 s at most, and in the end. Where it is a pipe
 * that is full, they are kept for a while.
 */
export class LogFile {
  readonly #path: string
  #file: number
  readonly #tell: (line: string) => void
  readonly #telling = new ThrottledNotice(() => this.#tellLost())
  #waiting = ""
  /** What a full pipe did not take. */
  #kept: Uint8Array = new Uint8Array()
  /** Whether the file ends within a line, the rest of which is kept or lost. */
  #isWithinLine = false
  #lost = 0
  #failure = ""
  readonly #timer: NodeJS.Timeout
  readonly #reopen = () => {
    this.flush()
    try {
      const file = openToAppend(this.#path)
      closeSync(this.#file)
      this.#file = file
      const found = fstatSync(file)
      // A pipe, and a file that was not rotated, go on where they ended.
      if (found.isFile() && found.size === 0) this.#isWithinLine = false
    } catch (error) {
      // A folder that is gone must not end the service.
      const { message } = error as Error
      this.#tell(plainText(`Cannot reopen --log-file ${show(this.#path)}: ${message}; lines go on into the open file.`))
    }
  }

  /**
   * @param tell takes a line about lines that were lost
   * @throws where the file cannot be opened
   */
  constructor(path: string, tell: (line: string) => void) {
    this.#path = path
    this.#tell = tell
    this.#file = openToAppend(path)
    this.#timer = setInterval(() => this.flush(), EVERY_MS)
    this.#timer.unref()
    process.on("SIGHUP", this.#reopen)
  }

  add(line: Readonly<Record<string, unknown>>): void {
    this.#waiting += `${JSON.stringify(line)}\n`
    if (this.#waiting.length > MAX_WAITING) this.flush()
  }

  flush(): void {
    if (this.#waiting === "" && this.#kept.length === 0) return
    // A line whose rest is lost ends here, and takes no other with it.
    const isTorn = this.#isWithinLine && this.#kept.length === 0
    const begin = isTorn ? 1 : 0
    const bytes = Buffer.concat([this.#kept, Buffer.from(isTorn ? `\n${this.#waiting}` : this.#waiting)])
    this.#waiting = ""
    this.#kept = new Uint8Array()
    let written = 0
    try {
      // A disk takes what it has room for, and refuses the rest when it is asked again.
      while (written < bytes.length) written += writeSync(this.#file, bytes, written)
      this.#isWithinLine = false
    } catch (error) {
      // It must not end the service.
      if (written > 0) this.#isWithinLine = bytes[written - 1] !== LINE_FEED
      const rest = bytes.subarray(Math.max(begin, written))
      const isFullPipe = (error as NodeJS.ErrnoException).code === "EAGAIN"
      if (isFullPipe && written >= begin && rest.length <= MAX_KEPT_BYTES) this.#kept = rest
      else this.#lose(rest, isFullPipe ? NOT_READ : (error as Error).message)
    }
  }

  #lose(bytes: Uint8Array, failure: string): void {
    this.#lost += bytes.filter((byte) => byte === LINE_FEED).length
    this.#failure = failure
    this.#telling.note()
  }

  #tellLost(): void {
    const lines = `${formatCount(this.#lost, "line")} ${this.#lost === 1 ? "is" : "are"} lost`
    this.#lost = 0
    this.#tell(plainText(`Cannot write --log-file ${show(this.#path)}: ${this.#failure}; ${lines}.`))
  }

  close(): void {
    process.off("SIGHUP", this.#reopen)
    clearInterval(this.#timer)
    this.flush()
    if (this.#kept.length > 0) this.#lose(this.#kept, NOT_READ)
    this.#telling.end()
    closeSync(this.#file)
  }
}

function openToAppend(path: string): number {
  return openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NONBLOCK, 0o600)
}
