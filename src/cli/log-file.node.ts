import { closeSync, openSync, writeSync } from "node:fs"
import process from "node:process"
import { show } from "../types/errors.js"
import { formatCount } from "./format.js"
import { plainText } from "./plain-text.js"
import { ThrottledNotice } from "./throttled-notice.node.js"

const EVERY_MS = 200
const MOST_WAITING = 64 * 1024
const LINE_FEED = 0x0a

/**
 * A log of requests, a JSON object a line: when, which method and endpoint, which status, how long. No keys, no tokens,
 * no addresses. Lines are written together; SIGHUP opens the file anew, for whoever rotates it. Lines that cannot be
 * written are lost, which is told: of the first at once, then every 10 s at most, and in the end.
 */
export class LogFile {
  readonly #path: string
  #file: number
  readonly #tell: (line: string) => void
  readonly #telling = new ThrottledNotice(() => this.#tellLost())
  #waiting = ""
  /** Whether the file ends within a line, the rest of which is lost. */
  #isTorn = false
  #lost = 0
  #failure = ""
  readonly #timer: NodeJS.Timeout
  readonly #reopen = () => {
    this.flush()
    try {
      const file = openSync(this.#path, "a", 0o600)
      closeSync(this.#file)
      this.#file = file
      this.#isTorn = false
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
    this.#file = openSync(path, "a", 0o600)
    this.#timer = setInterval(() => this.flush(), EVERY_MS)
    this.#timer.unref()
    process.on("SIGHUP", this.#reopen)
  }

  add(line: Readonly<Record<string, unknown>>): void {
    this.#waiting += `${JSON.stringify(line)}\n`
    if (this.#waiting.length > MOST_WAITING) this.flush()
  }

  flush(): void {
    if (this.#waiting === "") return
    // What was torn ends here, and takes no line with it.
    const bytes = Buffer.from(this.#isTorn ? `\n${this.#waiting}` : this.#waiting)
    const begin = this.#isTorn ? 1 : 0
    this.#waiting = ""
    let written = 0
    try {
      // A disk takes what it has room for, and refuses the rest when it is asked again.
      while (written < bytes.length) written += writeSync(this.#file, bytes, written)
      this.#isTorn = false
    } catch (error) {
      // It must not end the service.
      if (written > 0) this.#isTorn = bytes[written - 1] !== LINE_FEED
      this.#lost += bytes.subarray(Math.max(begin, written)).filter((byte) => byte === LINE_FEED).length
      this.#failure = (error as Error).message
      this.#telling.note()
    }
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
    this.#telling.end()
    closeSync(this.#file)
  }
}
