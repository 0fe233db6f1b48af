import { existsSync, mkdirSync, readFileSync, renameSync, writeSync } from "node:fs"
import { afterEach, expect, test, vi } from "vitest"
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
