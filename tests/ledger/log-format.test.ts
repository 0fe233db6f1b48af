import { readFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import { longestPrefix } from "../../src/ledger/longest-prefix.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { EXAMPLE_RECORDS, exampleRows } from "./example-store.js"
import { FORMAT_1_ROWS } from "./format-1-store.js"
import { FORMAT_2_ROWS } from "./format-2-store.js"
import { FORMAT_3_ROWS } from "./format-3-store.js"
import { readRows, replaceRows } from "./rows.js"
import { core } from "./script-run.js"
import { WatchedPort } from "./watched-port.js"

const page = readFileSync(new URL("../../docs/log-format.md", import.meta.url), "utf8")

/** The bytes at the start of each line of a block, sixteen to a line, without what is said of them. */
function bytesOf(block: string): string[] {
  return block
    .trim()
    .split("\n")
    .flatMap((line) => /^((?:[0-9a-f]{2} ?)+?)(?: {2}|$)/.exec(line)?.[1]?.trim().split(" ") ?? [])
}

/** The blocks of the page under a heading `### Row <id>: …`. */
const told = new Map(
  [...page.matchAll(/^### Row (−?\d+): .*\n\n```text\n([^`]*)```/gm)].map(([, id, block]) => [
    Number(id!.replace("−", "-")),
    bytesOf(block!),
  ]),
)

test("docs/log-format.md shows the bytes that the code writes", async () => {
  const rows = await exampleRows(sqliteLedgerPort(new DatabaseSync(":memory:")))
  expect([...told.keys()].sort((a, b) => a - b)).toEqual(rows.map(({ id }) => id))
  for (const { id, body } of rows) {
    const bytes = Array.from(body, (byte) => byte.toString(16).padStart(2, "0"))
    expect(told.get(id), `row ${id}`).toEqual(bytes)
  }
})

test("docs/log-format.md shows the table that the code makes", async () => {
  const database = new DatabaseSync(":memory:")
  const ledger = await Ledger.open(sqliteLedgerPort(database), { core })
  const { sql } = database.prepare("SELECT sql FROM sqlite_master WHERE name = 'sluice_log'").get()!
  expect(page).toContain(`\n${sql}\n`)
  await ledger.close()
})

test("the example of docs/log-format.md is a store that opens, with one record of each kind", async () => {
  expect(new Set(EXAMPLE_RECORDS.map(({ op }) => op)).size).toBe(13)
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  replaceRows(
    port,
    Array.from(told, ([id, bytes]) => ({ id, body: Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 16)) })),
  )
  const ledger = await Ledger.open(port, { core, historySegments: 9, names: true })
  const { keys } = ledger.limit("api")!
  expect(keys.stats("a")).toMatchObject({ totalAllowed: 3, totalDenied: 300 })
  expect(keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
  expect(await ledger.verify()).toMatchObject({ coveredSequence: 1, records: 17, replayEqualsLive: true })
  await ledger.close()
})

function portOf(rows: readonly { readonly id: number; readonly hex: string }[]): LedgerPort {
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  replaceRows(
    port,
    rows.map(({ id, hex }) => ({ id, body: Uint8Array.from(Buffer.from(hex, "hex")) })),
  )
  return port
}

describe.each([
  { format: 1, rows: FORMAT_1_ROWS, records: 9 },
  { format: 2, rows: FORMAT_2_ROWS, records: 15 },
])("a store of format $format", ({ format, rows, records }) => {
  const layOut = () => portOf(rows)

  test("is compacted into format 4 when it is opened, and its history stays", async () => {
    const port = layOut()
    const before = readRows(port)
    const ledger = await Ledger.open(port, { core, historySegments: 9, names: true })
    const limit = ledger.limit("api")!
    expect(limit.keys.stats("a")).toMatchObject({ totalAllowed: 3, totalDenied: 300 })
    expect(limit.keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    expect(readRows(port).map(({ id, body }) => [id, body[1]])).toEqual([
      [-131_072, 4],
      [0, format],
      [1, format],
      [2, 4],
      [3, 4],
    ])
    expect(readRows(port).find(({ id }) => id === 1)).toEqual(before.find(({ id }) => id === 1))
    expect(ledger.check(limit, "b", 1, 1_700_000_000_090, "call-1").decision.allowed).toBe(true)
    // The history, and a check and the record of the compaction after it.
    expect(await ledger.verify()).toMatchObject({ coveredSequence: 2, records: records + 3, replayEqualsLive: true })
    await ledger.compact()
    await ledger.close()
    const again = await Ledger.open(port, { core, names: true })
    const { decision } = again.check(again.limit("api")!, "b", 1, 1_700_000_000_095, "call-1")
    expect(decision.receipt.chargedAtMs).toBe(1_700_000_000_090)
    expect(again.limit("api")!.keys.stats("b").totalAllowed).toBe(1)
    await again.close()
  })

  test("is as it was, or of format 4, wherever that breaks off", async () => {
    for (let atWrite = 1; ; atWrite++) {
      for (const when of ["before", "after"] as const) {
        const port = layOut()
        const watched = new WatchedPort(port, { atWrite, when })
        const opened = await Ledger.open(watched, { core, partBytes: 100 }).catch((error: unknown) => error)
        if (opened instanceof Ledger) {
          opened.abandon()
          expect(atWrite).toBeGreaterThan(8)
          return
        }
        expect(opened).toBeInstanceOf(StoreUnavailable)
        const ledger = await Ledger.open(port, { core, names: true })
        expect(ledger.limit("api")!.keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
        expect(await ledger.verify()).toMatchObject({ replayEqualsLive: true })
        await ledger.close()
      }
    }
  })

  test("is repaired in its own format where its history is lost", async () => {
    const damaged = readRows(layOut()).filter(({ id }) => id !== 1)
    const port = layOut()
    const { gaveUp, rows: kept } = await longestPrefix(port, core, damaged)
    expect(gaveUp).toEqual([{ row: "segment 1", failure: "it is missing" }])
    expect(kept.map(({ id, body }) => [id, body[1]])).toEqual([
      [-1, format],
      [0, format],
      [2, format],
    ])
    replaceRows(port, kept)
    const ledger = await Ledger.open(port, { core })
    expect(ledger.limit("api")!.keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    await ledger.close()
  })
})

describe("a store of format 3", () => {
  const formats = (port: LedgerPort) => readRows(port).map(({ id, body }) => [id, body[1]])

  test("is opened as it is, and goes on in format 4 row by row", async () => {
    const port = portOf(FORMAT_3_ROWS)
    const before = readRows(port)
    const ledger = await Ledger.open(port, { core, historySegments: 9, names: true })
    const limit = ledger.limit("api")!
    expect(limit.keys.stats("a")).toMatchObject({ totalAllowed: 3, totalDenied: 300 })
    expect(limit.keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    expect(readRows(port)).toEqual(before)
    expect(ledger.check(limit, "b", 1, 1_700_000_000_090, "call-1").decision.allowed).toBe(true)
    await ledger.commit()
    expect(formats(port)).toEqual([
      [-65_536, 3],
      [0, 3],
      [1, 3],
      [2, 4],
    ])
    expect(await ledger.verify()).toMatchObject({ coveredSequence: 1, records: 18, replayEqualsLive: true })
    await ledger.close()
    const again = await Ledger.open(port, { core, names: true })
    expect(again.limit("api")!.keys.stats("b").totalAllowed).toBe(1)
    await again.compact()
    expect(await again.verify()).toMatchObject({ replayEqualsLive: true })
    await again.close()
  })

  test("is repaired where its history is lost", async () => {
    const port = portOf(FORMAT_3_ROWS)
    const { gaveUp, rows } = await longestPrefix(
      port,
      core,
      readRows(port).filter(({ id }) => id !== 1),
    )
    expect(gaveUp).toEqual([{ row: "segment 1", failure: "it is missing" }])
    replaceRows(port, rows)
    const ledger = await Ledger.open(port, { core })
    expect(ledger.limit("api")!.keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    await ledger.close()
  })

  test("is whole for a repair where the clock went back after its tables had grown", async () => {
    const port = portOf(FORMAT_3_ROWS)
    const ledger = await Ledger.open(port, { core, compactBytes: 10_000_000 })
    const limit = ledger.limit("api")!
    const startMs = 1_700_000_000_100
    const full = Array.from({ length: 40 }, (_, index) => `full ${index}`)
    for (const key of full) ledger.charge(limit, key, 3, startMs)
    // The full keys are idle by then, and the table grows.
    for (let index = 0; index < 1_900; index++) ledger.charge(limit, `new ${index}`, 1, startMs + 3_600_000)
    for (const key of full) expect(ledger.check(limit, key, 1, startMs).decision.allowed).toBe(false)
    await ledger.close()
    const rows = readRows(port)
    expect(await longestPrefix(port, core, rows)).toMatchObject({ gaveUp: [], rows })
  })
})
