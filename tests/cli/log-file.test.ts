import { execFileSync } from "node:child_process"
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs"
import { afterEach, describe, expect, test, vi } from "vitest"
import { LogFile } from "../../src/cli/log-file.node.js"
import { Scratch } from "./run.js"

vi.mock(import("node:fs"), async (original) => {
  const fs = await original()
  return { ...fs, writeSync: vi.fn(fs.writeSync) as unknown as typeof fs.writeSync }
})

afterEach(() => {
  vi.useRealTimers()
  vi.mocked(writeSync).mockReset()
})

const LOST = 'Cannot write --log-file "/dev/full": ENOSPC: no space left on device, write;'

test.skipIf(!existsSync("/dev/full"))(
  "lines that cannot be written are told of at once, every ten seconds, and in the end",
  () => {
    vi.useFakeTimers()
    const told: string[] = []
    const log = new LogFile("/dev/full", (line) => told.push(line))
    const lose = (lines: number) => {
      for (let line = 0; line < lines; line++) log.add({ line })
      log.flush()
    }
    lose(1)
    expect(told.splice(0)).toEqual([`${LOST} 1 line is lost.`])
    lose(2)
    vi.advanceTimersByTime(9_999)
    lose(3)
    expect(told).toEqual([])
    // Told although nothing is lost any more.
    vi.advanceTimersByTime(1)
    expect(told.splice(0)).toEqual([`${LOST} 5 lines are lost.`])
    log.add({ line: 0 })
    log.close()
    expect(told).toEqual([`${LOST} 1 line is lost.`])
  },
)

test("tells nothing where every line is written", () => {
  using scratch = new Scratch()
  const told: string[] = []
  const log = new LogFile(scratch.file("log"), (line) => told.push(line))
  log.add({ a: "\u00e9" })
  log.add({ a: 2 })
  log.close()
  expect(readFileSync(scratch.file("log"), "utf8")).toBe('{"a":"\u00e9"}\n{"a":2}\n')
  expect(told).toEqual([])
})

test("a line after one that the disk took in part stands in a line of its own", async () => {
  using scratch = new Scratch()
  const fs = await vi.importActual<typeof import("node:fs")>("node:fs")
  const told: string[] = []
  const log = new LogFile(scratch.file("log"), (line) => told.push(line))
  vi.mocked(writeSync)
    .mockImplementationOnce((file, bytes) => fs.writeSync(file, bytes as unknown as Uint8Array, 0, 3))
    .mockImplementationOnce(() => {
      throw new Error("ENOSPC")
    })
  log.add({ a: 1 })
  log.flush()
  log.add({ a: 2 })
  log.close()
  expect(readFileSync(scratch.file("log"), "utf8")).toBe('{"a\n{"a":2}\n')
  expect(told).toEqual([`Cannot write --log-file "${scratch.file("log")}": ENOSPC; 1 line is lost.`])
})

test("tells where it cannot be opened anew, and goes on", () => {
  using scratch = new Scratch()
  const told: string[] = []
  mkdirSync(scratch.file("logs"))
  const log = new LogFile(scratch.file("logs/log"), (line) => told.push(line))
  renameSync(scratch.file("logs"), scratch.file("moved"))
  process.emit("SIGHUP")
  log.add({ a: 1 })
  log.close()
  expect(told).toEqual([
    expect.stringMatching(/^Cannot reopen --log-file ".*log": ENOENT.*; lines go on into the open file\.$/),
  ])
  expect(readFileSync(scratch.file("moved/log"), "utf8")).toBe('{"a":1}\n')
})

/** The reading end of a pipe that has a name. */
class Reader implements Disposable {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  }

  /** What is in the pipe now. */
  read(): string {
    const chunk = Buffer.alloc(1 << 20)
    let text = ""
    for (;;) {
      try {
        const bytes = readSync(this.#file, chunk)
        if (bytes === 0) return text
        text += chunk.toString("latin1", 0, bytes)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return text
        throw error
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}

describe.skipIf(process.platform === "win32")("a log that is a pipe", () => {
  const LINE = "x".repeat(999)
  const NOT_READ = /: its reader does not read on; [\d,]+ lines? (is|are) lost\.$/

  function pipeIn(scratch: Scratch): string {
    execFileSync("mkfifo", [scratch.file("pipe")])
    return scratch.file("pipe")
  }

  test("is refused where nobody reads from it", () => {
    using scratch = new Scratch()
    expect(() => new LogFile(pipeIn(scratch), () => {})).toThrow(/^ENXIO/)
  })

  test("keeps what a reader does not take at once", () => {
    using scratch = new Scratch()
    const path = pipeIn(scratch)
    using reader = new Reader(path)
    const told: string[] = []
    const log = new LogFile(path, (line) => told.push(line))
    for (let line = 0; line < 500; line++) log.add({ line, LINE })
    let text = reader.read()
    expect(text.length).toBeLessThan(500 * 1_000)
    for (let turn = 0; turn < 20; turn++) {
      log.flush()
      text += reader.read()
    }
    log.close()
    expect(told).toEqual([])
    const lines = text.trimEnd().split("\n")
    expect(lines.map((line) => JSON.parse(line).line)).toEqual(Array.from({ length: 500 }, (_, line) => line))
  })

  test("loses lines where its reader does not read on, tells so, and breaks one line at most", () => {
    using scratch = new Scratch()
    const path = pipeIn(scratch)
    using reader = new Reader(path)
    const told: string[] = []
    const log = new LogFile(path, (line) => told.push(line))
    for (let line = 0; line < 3_000; line++) log.add({ line, LINE })
    log.flush()
    expect(told).toEqual([expect.stringMatching(NOT_READ)])
    let text = reader.read()
    for (let turn = 0; turn < 40; turn++) {
      log.flush()
      text += reader.read()
    }
    log.add({ last: true })
    log.flush()
    text += reader.read()
    log.close()
    const isWhole = (line: string) => line.startsWith("{") && line.endsWith("}")
    const lines = text.trimEnd().split("\n")
    expect(lines.filter((line) => !isWhole(line)).length).toBeLessThanOrEqual(1)
    expect(lines.at(-1)).toBe('{"last":true}')
    const lost = told.map((line) => Number(/([\d,]+) lines?/.exec(line)![1]!.replaceAll(",", "")))
    const whole = lines.filter(isWhole).length - 1
    expect(whole + lost.reduce((sum, count) => sum + count, 0)).toBe(3_000)
  })

  test("tells in the end what its reader did not take", () => {
    using scratch = new Scratch()
    const path = pipeIn(scratch)
    using _ = new Reader(path)
    const told: string[] = []
    const log = new LogFile(path, (line) => told.push(line))
    for (let line = 0; line < 200; line++) log.add({ line, LINE })
    expect(told).toEqual([])
    log.close()
    expect(told).toEqual([expect.stringMatching(NOT_READ)])
  })

  test("goes on where nobody reads from it any more when it is to be opened anew", () => {
    using scratch = new Scratch()
    const path = pipeIn(scratch)
    const told: string[] = []
    const reader = new Reader(path)
    const log = new LogFile(path, (line) => told.push(line))
    reader[Symbol.dispose]()
    process.emit("SIGHUP")
    expect(told.splice(0)).toEqual([expect.stringMatching(/^Cannot reopen --log-file ".*": ENXIO.*; lines go on/)])
    log.add({ a: 1 })
    log.close()
    expect(told).toEqual([expect.stringMatching(/EPIPE.*1 line is lost\.$/)])
  })
})
