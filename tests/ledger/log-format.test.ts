import { readFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import { longestPrefix } from "../../src/ledger/longest-prefix.js"
import { recover } from "../../src/ledger/recovery.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import type { Receipt } from "../../src/types/receipt.js"
import { EXAMPLE_RECORDS, exampleRows } from "./example-store.js"
import { FORMAT_1_ROWS } from "./format-1-store.js"
import { FORMAT_2_ROWS } from "./format-2-store.js"
import { FORMAT_3_ROWS } from "./format-3-store.js"
import { FORMAT_4_RECEIPTS, FORMAT_4_ROWS, FORMAT_4_UNCLOSED_ROWS } from "./format-4-store.js"
import { FORMAT_5_ROWS } from "./format-5-store.js"
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

test("the example of docs/log-format.md is a store that opens, with a record of each kind", async () => {
  expect(new Set(EXAMPLE_RECORDS.map(({ op }) => op)).size).toBe(13)
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  replaceRows(
    port,
    Array.from(told, ([id, bytes]) => ({ id, body: Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 16)) })),
  )
  const ledger = await Ledger.open(port, { core, historySegments: 9, names: true })
  const keys = ledger.limit("api")!.openKeys()
  expect(keys.stats("a")).toMatchObject({ totalAllowed: 3, totalDenied: 300 })
  expect(keys.peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
  expect(await ledger.verify()).toMatchObject({ coveredSequence: 1, records: 19, replayEqualsLive: true })
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

  test("is compacted into format 6 when it is opened, and its history stays", async () => {
    const port = layOut()
    const before = readRows(port)
    const ledger = await Ledger.open(port, { core, historySegments: 9, names: true })
    const limit = ledger.limit("api")!
    expect(limit.openKeys().stats("a")).toMatchObject({ totalAllowed: 3, totalDenied: 300 })
    expect(limit.openKeys().peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    expect(readRows(port).map(({ id, body }) => [id, body[1]])).toEqual([
      [-131_072, 6],
      [0, format],
      [1, format],
      [2, 6],
      [3, 6],
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
    expect(again.limit("api")!.openKeys().stats("b").totalAllowed).toBe(1)
    await again.close()
  })

  test("is as it was, or of format 6, wherever that breaks off", async () => {
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
        expect(ledger.limit("api")!.openKeys().peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
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
    expect(ledger.limit("api")!.openKeys().peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    await ledger.close()
  })
})

const formats = (port: LedgerPort) => readRows(port).map(({ id, body }) => [id, body[1]])

describe.each([
  { format: 3, rows: FORMAT_3_ROWS, records: 18 },
  { format: 4, rows: FORMAT_4_ROWS, records: 18 },
  { format: 5, rows: FORMAT_5_ROWS, records: 20 },
])("a store of format $format", ({ format, rows: layout, records }) => {
  test("is opened as it is, and goes on in format 6 row by row", async () => {
    const port = portOf(layout)
    const before = readRows(port)
    const ledger = await Ledger.open(port, { core, historySegments: 9, names: true })
    const limit = ledger.limit("api")!
    expect(limit.openKeys().stats("a")).toMatchObject({ totalAllowed: 3, totalDenied: 300 })
    expect(limit.openKeys().peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    expect(readRows(port)).toEqual(before)
    expect(ledger.check(limit, "b", 1, 1_700_000_000_090, "call-1").decision.allowed).toBe(true)
    await ledger.commit()
    expect(formats(port)).toEqual([
      [-65_536, format],
      [0, format],
      [1, format],
      [2, 6],
    ])
    expect(await ledger.verify()).toMatchObject({ coveredSequence: 1, records, replayEqualsLive: true })
    await ledger.close()
    const again = await Ledger.open(port, { core, names: true })
    expect(again.limit("api")!.openKeys().stats("b").totalAllowed).toBe(1)
    await again.compact()
    expect(await again.verify()).toMatchObject({ replayEqualsLive: true })
    await again.close()
  })

  test("is repaired in its own format where its history is lost", async () => {
    const port = portOf(layout)
    const { gaveUp, rows } = await longestPrefix(
      port,
      core,
      readRows(port).filter(({ id }) => id !== 1),
    )
    expect(gaveUp).toEqual([{ row: "segment 1", failure: "it is missing" }])
    replaceRows(port, rows)
    expect(formats(port)).toEqual([
      [-65_536, format],
      [0, format],
      [2, format],
    ])
    const ledger = await Ledger.open(port, { core })
    expect(ledger.limit("api")!.openKeys().peek("a", 1, 1_700_000_000_080).remaining).toBe(0)
    await ledger.close()
  })

  test("is whole for a repair where the clock went back after its tables had grown", async () => {
    const port = portOf(layout)
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

describe("a store of format 4 that was opened again and never closed", () => {
  const options = { core, sync: "ahead", block: 2, historySegments: 9, openedAtMs: 1_700_000_000_030 } as const
  const [first, second, third] = FORMAT_4_RECEIPTS

  test("is replayed as it was: each time it was opened, no receipt of before could be settled any more", async () => {
    const port = portOf(FORMAT_4_UNCLOSED_ROWS)
    const before = readRows(port)
    const { state } = await recover(port, core, before)
    const limit = state.limit("api")!
    expect(limit.receipts.closedBeforeMs).toBe(1_700_000_000_020)
    expect({ charges: limit.openKeys().charges, gaps: limit.gaps.all }).toEqual({ charges: 3, gaps: [] })
    expect(["a", "b"].map((key) => limit.openKeys().peek(key, 0, 1_700_000_000_030).remaining)).toEqual([7, 6])
    state.free()
    expect((await longestPrefix(port, core, before)).gaveUp).toEqual([])
  })

  test("goes on with numbers that it may not have told; what could be settled still can", async () => {
    const port = portOf(FORMAT_4_UNCLOSED_ROWS)
    const ledger = await Ledger.open(port, options)
    const limit = ledger.limit("api")!
    const settle = (receipt: Receipt) => ledger.settle(limit, receipt, 1, 1_700_000_000_031)
    expect([first, second, third, third].map(settle)).toEqual([false, false, true, false])
    const { receipt } = ledger.check(limit, "a", 1, 1_700_000_000_031).decision
    expect(limit.openKeys().chargeOf(receipt.id)).toBe(3 + 2 ** 24 + 1)
    expect(await ledger.verify()).toMatchObject({ replayEqualsLive: true })
    await ledger.compact()
    expect(await ledger.verify()).toMatchObject({ replayEqualsLive: true })
    ledger.abandon()
    const again = await Ledger.open(port, options)
    expect(again.settle(again.limit("api")!, receipt, 1, 1_700_000_000_031)).toBe(true)
    await again.close()
  })
})
