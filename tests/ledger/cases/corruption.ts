import fc from "fast-check"
import { expect } from "vitest"
import { HASH_BYTES } from "../../../src/ledger/envelope.js"
import { Ledger } from "../../../src/ledger/ledger.js"
import { longestPrefix } from "../../../src/ledger/longest-prefix.js"
import type { LedgerPort, LogRow } from "../../../src/ledger/sql-port.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { StoreCorrupt, StoreUnavailable, StoreVersion } from "../../../src/types/errors.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { deleteRow, readRows, replaceRows, rowsText, writeRow } from "../rows.js"
import { fillSmallStore, rowName, SMALL_STORE } from "../small-store.js"
import { WatchedPort } from "../watched-port.js"

export const corruptionCases: readonly LedgerCase[] = [
  {
    name: "the store of the sweep has rows of every kind, and opens",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      const ids = rows.map(({ id }) => id)
      expect(ids.filter((id) => id < 0).length).toBeGreaterThanOrEqual(2)
      // Segments 2 and 3 are history, 4 and 5 are sealed, 6 is open.
      expect(ids.filter((id) => id >= 0)).toEqual([0, 2, 3, 4, 5, 6])
      expect(await refusal(port)).toBe(null)
    },
  },
  {
    name: "Ledger.open() refuses any flipped byte or bit of any row, names the row and writes nothing",
    async run(makePort) {
      const port = makePort()
      await expectEachFlipRefused(port, await fillSmallStore(port))
    },
  },
  {
    name: "Ledger.open() refuses any flipped byte or bit of a snapshot that a crash left unfinished",
    async run(makePort) {
      const port = makePort()
      const before = await fillSmallStore(port)
      for (let atWrite = 1; ; atWrite++) {
        const broken = new WatchedPort(port, { atWrite, when: "before" })
        const ledger = await Ledger.open(broken, SMALL_STORE)
        await expect(ledger.compact()).rejects.toBeInstanceOf(StoreUnavailable)
        ledger.abandon()
        const rows = readRows(port)
        const left = rows.filter(({ id }) => id < 0 && !before.some((row) => row.id === id))
        // Its last part would put it into force.
        if (left.length >= 2) return expectEachFlipRefused(port, rows, left)
        replaceRows(port, before)
      }
    },
  },
  {
    name: "Ledger.open() refuses a row that is cut at any length, or longer",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      for (const { id, body } of rows) {
        for (let length = 0; length < body.length; length++) {
          writeRow(port, id, body.subarray(0, length))
          await expectCorrupt(port, [rowName(id)], `row ${id} cut to ${length} bytes`)
        }
        writeRow(port, id, Uint8Array.of(...body, 0))
        await expectCorrupt(port, [rowName(id)], `row ${id} with a byte more`)
        writeRow(port, id, body)
      }
    },
  },
  {
    name: "Ledger.open() refuses a store without any one row, without its snapshot, and without all",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      for (const { id, body } of rows) {
        deleteRow(port, id)
        await expectCorrupt(port, [rowName(id)], `row ${id} deleted`)
        writeRow(port, id, body)
      }
      replaceRows(
        port,
        rows.filter(({ id }) => id >= 0),
      )
      await expectCorrupt(port, ["segment 1"], "the snapshot deleted")
      replaceRows(port, [])
      await expectCorrupt(port, ["the meta row"], "all rows deleted")
    },
  },
  {
    name: "Ledger.open() refuses a store whose history goes back to the start, without its snapshot or with an older one",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { ...SMALL_STORE, historySegments: 99 })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      await ledger.compact()
      const older = readRows(port).filter(({ id }) => id < 0)
      ledger.check(limit, "a", 1, START_MS)
      await ledger.compact()
      await ledger.close()
      const rest = readRows(port).filter(({ id }) => id >= 0)
      replaceRows(port, rest)
      await expectCorrupt(port, ["the snapshot"], "no snapshot")
      replaceRows(port, [...older, ...rest])
      await expectCorrupt(port, ["the snapshot"], "an older snapshot")
    },
  },
  {
    name: "Ledger.open() refuses any row in the place of any other, in a new place, and any two swapped",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      const ids = rows.map(({ id }) => id)
      const beyond = [Math.min(...ids) - 1, Math.max(...ids) + 1, Math.max(...ids) + 2, -1_000, 1]
      for (const from of rows) {
        for (const to of rows) {
          if (to === from) continue
          writeRow(port, to.id, from.body)
          await expectCorrupt(port, [rowName(to.id)], `row ${from.id} also as ${to.id}`)
          writeRow(port, from.id, to.body)
          await expectCorrupt(port, [rowName(from.id), rowName(to.id)], `rows ${from.id} and ${to.id} swapped`)
          writeRow(port, from.id, from.body)
          writeRow(port, to.id, to.body)
        }
        for (const id of beyond) {
          writeRow(port, id, from.body)
          await expectCorrupt(port, null, `row ${from.id} also as the new row ${id}`)
          deleteRow(port, from.id)
          await expectCorrupt(port, null, `row ${from.id} moved to ${id}`)
          deleteRow(port, id)
          writeRow(port, from.id, from.body)
        }
      }
      expect(readRows(port)).toEqual(rows)
    },
  },
  {
    name: "Ledger.open() refuses rows of another store with the same life: one of them, or all but one",
    async run(makePort) {
      const others = await fillSmallStore(makePort())
      const port = makePort()
      const rows = await fillSmallStore(port)
      expect(others.map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
      const mixed = (isOther: (index: number) => boolean) =>
        rows.map((row, index) => (isOther(index) ? others[index]! : row))
      for (const [index, { id }] of rows.entries()) {
        replaceRows(
          port,
          mixed((other) => other === index),
        )
        await expectCorrupt(port, null, `row ${id} of another store`)
        replaceRows(
          port,
          mixed((other) => other !== index),
        )
        await expectCorrupt(port, null, `all but row ${id} of another store`)
      }
      replaceRows(
        port,
        mixed((index) => rows[index]!.id > 0),
      )
      await expectCorrupt(port, null, "all segments of another store")
      replaceRows(
        port,
        mixed((index) => rows[index]!.id < 0),
      )
      await expectCorrupt(port, ["snapshot part 0"], "the snapshot of another store")
    },
  },
  {
    name: "Ledger.open() refuses a row of a newer format with StoreVersion, and of none with StoreCorrupt",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      for (const { id, body } of rows) {
        for (const format of [2, 255]) {
          writeRow(port, id, await resealed(port, body, (bytes) => bytes.fill(format, 1, 2)))
          const error = await refusal(port)
          expect(error, `row ${id} of format ${format}`).toBeInstanceOf(StoreVersion)
          expect(error).toMatchObject({ found: format, supported: 1 })
        }
        writeRow(port, id, await resealed(port, body, (bytes) => bytes.fill(0, 1, 2)))
        await expectCorrupt(port, [rowName(id)], `row ${id} of format 0`)
        writeRow(port, id, body)
      }
    },
  },
  {
    name: "Ledger.open() refuses rows that are no blobs",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      for (const { id, body } of rows) {
        for (const wrong of ["'text'", "7", "1.5", "CAST(body AS TEXT)", "x''"]) {
          port.sql.run(`UPDATE sluice_log SET body = ${wrong} WHERE id = ?`, id)
          await expectCorrupt(port, [`row ${id}`, rowName(id)], `row ${id} set to ${wrong}`, () => String(id))
          writeRow(port, id, body)
        }
      }
      port.sql.run("DROP TABLE sluice_log")
      port.sql.run("CREATE TABLE sluice_log (id INTEGER PRIMARY KEY, body BLOB)")
      for (const { id, body } of rows) {
        replaceRows(port, rows)
        port.sql.run("UPDATE sluice_log SET body = NULL WHERE id = ?", id)
        await expectCorrupt(port, [`row ${id}`], `row ${id} set to NULL`, () => String(id))
        writeRow(port, id, body)
      }
    },
  },
  {
    name: "Ledger.open() refuses with StoreCorrupt or takes whatever was sealed with a right hash, and fails in no other way",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      let opened = 0
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...rows), someFlips, async ({ id, body }, flips) => {
          const changed = await flipped(port, body, flips)
          writeRow(port, id, changed)
          const error = await refusal(port)
          if (error === null) opened += 1
          else expect(error instanceof StoreCorrupt || error instanceof StoreVersion, String(error)).toBe(true)
          writeRow(port, id, body)
        }),
        { numRuns: 1_500 },
      )
      // The last row's hash stands nowhere else.
      expect(opened).toBeGreaterThan(0)
    },
  },
  {
    name: "longestPrefix() of whatever was sealed with a right hash opens, and names what is given up",
    async run(makePort) {
      const port = makePort()
      const rows = await fillSmallStore(port)
      let gaveUpSome = 0
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...rows), someFlips, async ({ id, body }, flips) => {
          const changed = await flipped(port, body, flips)
          const damaged = rows.map((row) => (row.id === id ? { id, body: changed } : row))
          const kept = await longestPrefix(port, SMALL_STORE.core, damaged).catch((error: unknown) => {
            expect(error).toBeInstanceOf(StoreVersion)
            return null
          })
          if (kept === null) return
          if (kept.gaveUp.length > 0) gaveUpSome += 1
          for (const { row } of kept.gaveUp)
            expect(row).toMatch(/^(the (snapshot|history|meta row)|snapshot part \d+|segment \d+)$/)
          // Without its meta row nothing is left, and a new store is made.
          if (kept.rows.length === 0) return
          replaceRows(port, kept.rows)
          expect(await refusal(port)).toBe(null)
        }),
        { numRuns: 500 },
      )
      expect(gaveUpSome).toBeGreaterThan(0)
    },
  },
  {
    name: "Ledger.open() cannot tell a store, or its last row, from how it was at an earlier commit",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, SMALL_STORE)
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      await ledger.commit()
      const earlier = readRows(port)
      ledger.check(limit, "a", 5, START_MS)
      await ledger.close()
      replaceRows(port, earlier)
      expect(await refusal(port)).toBe(null)
    },
  },
]

/**
 * What opening throws, having written nothing; `null` where it opens, which is written where bytes came to say "not
 * closed".
 */
async function refusal(port: LedgerPort): Promise<unknown> {
  const watched = new WatchedPort(port)
  try {
    const ledger = await Ledger.open(watched, SMALL_STORE)
    ledger.abandon()
    return null
  } catch (error) {
    expect(watched.writes).toBe(0)
    return error
  }
}

/** @param rows what the error may call the row; `null` where it only must name one */
async function expectCorrupt(
  port: LedgerPort,
  rows: readonly string[] | null,
  label: string,
  before: (port: LedgerPort) => string = rowsText,
): Promise<void> {
  const text = before(port)
  const error = await refusal(port)
  expect(error, label).toBeInstanceOf(StoreCorrupt)
  const { row } = error as StoreCorrupt
  if (rows === null) expect(row, label).toMatch(/^(the meta row|the snapshot|snapshot part \d+|segment \d+)$/)
  else expect(rows, label).toContain(row)
  expect(before(port), label).toBe(text)
}

/** @param swept the rows to flip bytes of, of all that are there */
async function expectEachFlipRefused(
  port: LedgerPort,
  rows: readonly LogRow[],
  swept: readonly LogRow[] = rows,
): Promise<void> {
  for (const { id, body } of swept) {
    for (let at = 0; at < body.length; at++) {
      for (const flip of [0xff, 1 << (at % 8)]) {
        const changed = body.slice()
        changed[at]! ^= flip
        writeRow(port, id, changed)
        await expectCorrupt(port, [rowName(id)], `byte ${at} of row ${id} flipped by ${flip}`)
      }
    }
    writeRow(port, id, body)
  }
  expect(readRows(port)).toEqual(rows)
}

/** Bytes to change, by place, and the bits of each. */
const someFlips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 })

/** A row with changed bytes, sealed with a right hash. */
function flipped(port: LedgerPort, body: Uint8Array, flips: readonly (readonly [at: number, flip: number])[]) {
  return resealed(port, body, (bytes) => {
    for (const [at, flip] of flips) bytes[at % bytes.length]! ^= flip
  })
}

/** A row with other content and the hash of it. */
async function resealed(
  port: LedgerPort,
  body: Uint8Array,
  change: (content: Uint8Array) => void,
): Promise<Uint8Array> {
  const changed = body.slice()
  const content = changed.subarray(0, body.length - HASH_BYTES)
  change(content)
  changed.set(await port.sha256(content), content.length)
  return changed
}
