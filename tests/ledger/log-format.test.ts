import { readFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { EXAMPLE_RECORDS, exampleRows } from "./example-store.js"
import { replaceRows } from "./rows.js"
import { core } from "./script-run.js"

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
