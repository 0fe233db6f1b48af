import { closeSync, openSync, writeSync } from "node:fs"
import process from "node:process"

const EVERY_MS = 200
const MOST_WAITING = 64 * 1024

/**
 * A log of requests, a JSON object a line: when, which method and endpoint, which status, how long. No keys, no tokens,
 * no addresses. Lines are written together; SIGHUP opens the file anew, for whoever rotates it.
 */
export class LogFile {
  readonly #path: string
  #file: number
  #waiting = ""
  readonly #timer: NodeJS.Timeout
  readonly #reopen = () => {
    this.flush()
    try {
      const file = openSync(this.#path, "a", 0o600)
      closeSync(this.#file)
      this.#file = file
    } catch {
      // A folder that is gone must not end the service; lines go on into the file that was open.
    }
  }

  /** @throws where the file cannot be written */
  constructor(path: string) {
    this.#path = path
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
    const text = this.#waiting
    this.#waiting = ""
    try {
      writeSync(this.#file, text)
    } catch {
      // A full disk must not end the service; the lines are lost.
    }
  }

  close(): void {
    process.off("SIGHUP", this.#reopen)
    clearInterval(this.#timer)
    this.flush()
    closeSync(this.#file)
  }
}
