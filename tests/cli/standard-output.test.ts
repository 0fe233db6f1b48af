import { Writable } from "node:stream"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { StandardOutput } from "../../src/cli/standard-output.node.js"

/** A pipe whose reader takes nothing until it is told to. */
class StalledPipe extends Writable {
  readonly #waiting: (() => void)[] = []
  taken = ""
  isReading = false

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = () => {
      this.taken += chunk
      done()
    }
    if (this.isReading) take()
    else this.#waiting.push(take)
  }

  readOn(): void {
    this.isReading = true
    for (const take of this.#waiting.splice(0)) take()
  }
}

const LINE = `${"x".repeat(1023)}\n`
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe("StandardOutput, whose reader does not read on", () => {
  let pipe: StalledPipe
  let told: string[]
  let output: StandardOutput

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    pipe = new StalledPipe()
    told = []
    output = new StandardOutput(pipe, (line) => void told.push(line))
  })
  afterEach(() => void vi.useRealTimers())

  test("log() keeps a MiB of lines, loses those after it and says so, and takes lines again", async () => {
    for (let line = 0; line < 4_096; line++) output.log(LINE)
    expect(pipe.writableLength).toBe(2 ** 20 + 1024)
    expect(told).toEqual([
      "Cannot write to standard output: nobody reads on; lines are lost until that takes them again.",
    ])
    pipe.readOn()
    await settle()
    output.log("on\n")
    await settle()
    expect(pipe.taken).toBe(`${LINE.repeat(1_025)}on\n`)
  })

  test("end() waits a second for lines of a log", async () => {
    output.log(LINE)
    const ended = vi.fn()
    void output.end().then(ended)
    await vi.advanceTimersByTimeAsync(999)
    expect(ended).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(ended).toHaveBeenCalledExactlyOnceWith(true)
  })

  test("end() waits for what a command told, however long that takes", async () => {
    output.write(LINE)
    const ended = vi.fn()
    void output.end().then(ended)
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(ended).not.toHaveBeenCalled()
    pipe.readOn()
    await settle()
    expect(ended).toHaveBeenCalledExactlyOnceWith(true)
    expect(pipe.taken).toBe(LINE)
  })
})
