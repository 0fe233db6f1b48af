import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { repair } from "sluice/embedded"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Files, LOG_FILE, layOut, open, readFiles, seen, withFile } from "./store-files.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const PAGE_BYTES = 4_096
const SEGMENTS = 120
/** The last segment that the snapshot covers, where there is one. */
const COVERED = 81

afterAll(removeFolders)

/** A closed store of several pages, and what was true of it. */
interface Life {
  readonly files: Files
  /** What was seen after so many records. */
  readonly states: ReadonlyMap<number, string>
  /** Records after each closed segment, by its sequence. */
  readonly recordsAt: readonly number[]
  readonly lastState: string
}

/** Closes a segment after each check, and compacts after the segment `compactAt`. */
async function lead(compactAt: number | null): Promise<Life> {
  const path = temporaryFolder()
  const limiter = await open(path, { historySegments: SEGMENTS })
  const states = new Map([[0, await seen(limiter)]])
  await limiter.define("default", "9999/hour")
  const recordsAt = [0]
  for (let sequence = 1; sequence <= SEGMENTS; sequence++) {
    await limiter.check(`${"abc"[sequence % 3]}`, { cost: sequence })
    // Closes a segment. Some are longer than a page.
    if (sequence === 30) await Promise.all(Array.from({ length: 300 }, () => limiter.check("a")))
    const { records } = await limiter.verify()
    recordsAt.push(records)
    states.set(records, await seen(limiter))
    if (sequence !== compactAt) continue
    // It closes an empty segment, the last that it covers.
    await limiter.compact()
    recordsAt.push(records)
  }
  const lastState = await seen(limiter)
  await limiter.close()
  return { files: readFiles(path), states, recordsAt, lastState }
}

let whole: Life
let compacted: Life

beforeAll(async () => {
  whole = await lead(null)
  compacted = await lead(COVERED - 1)
})

/** The files with some pages of the log zeroed, which are counted from 1. */
function zeroed(files: Files, ...pages: number[]): Files {
  const bytes = files.get(LOG_FILE)!.slice()
  for (const page of pages) bytes.fill(0, (page - 1) * PAGE_BYTES, page * PAGE_BYTES)
  return withFile(files, LOG_FILE, bytes)
}

/**
 * A store with one page damaged after the other: zeroed, and each of some bytes of its head and first cells flipped.
 */
function* damagesOf(files: Files): Generator<readonly [label: string, files: Files]> {
  const bytes = files.get(LOG_FILE)!
  // Without the first page the file is none of SQLite.
  for (let page = 2; page <= bytes.length / PAGE_BYTES; page++) {
    yield [`page ${page} zeroed`, zeroed(files, page)] as const
    for (const offset of [0, 3, 4, 5, 8, 9, 12, 30]) {
      const flipped = bytes.slice()
      flipped[(page - 1) * PAGE_BYTES + offset]! ^= 0xff
      yield [`page ${page}, byte ${offset} flipped`, withFile(files, LOG_FILE, flipped)] as const
    }
  }
}

/** The ids of the rows, each read on its own, that are what they were. */
function readableIds(files: Files, original: Files): { readable: Set<number>; all: number[] } {
  const before = new DatabaseSync(join(layOut(original), LOG_FILE))
  const damaged = new DatabaseSync(join(layOut(files), LOG_FILE))
  const readable = new Set<number>()
  const all: number[] = []
  for (const row of before.prepare("SELECT id, body FROM sluice_log ORDER BY id").all()) {
    const { id, body } = row as { id: number; body: Uint8Array }
    all.push(id)
    try {
      const found = damaged.prepare("SELECT body FROM sluice_log WHERE id = ?").get(id)?.["body"]
      if (found instanceof Uint8Array && Buffer.from(found).equals(body)) readable.add(id)
    } catch {
      // It cannot be read.
    }
  }
  before.close()
  damaged.close()
  return { readable, all }
}

/** The page without which rows are lost that are what is looked for. */
function pageThatHolds(files: Files, isIt: (lostIds: number[]) => boolean): number {
  const pages = files.get(LOG_FILE)!.length / PAGE_BYTES
  for (let page = 2; page <= pages; page++) {
    const { readable, all } = readableIds(zeroed(files, page), files)
    const lost = all.filter((id) => !readable.has(id))
    if (lost.length > 0 && lost.length < all.length && isIt(lost)) return page
  }
  throw new Error("there is no such page")
}

/** Repairs a store and opens it again: what was kept. */
async function repaired(files: Files) {
  const path = layOut(files)
  const { keptRecords, gaveUp } = await repair(path)
  const limiter = await open(path)
  try {
    const state = await seen(limiter)
    await limiter.verify()
    return { keptRecords, gaveUp, state, problems: (await limiter.doctor()).problems }
  } finally {
    await limiter.close()
  }
}

describe("repair() of a store with a damaged page", () => {
  test("keeps all segments before the first that cannot be read by its id, and a true beginning", async () => {
    let kept = 0
    for (const [label, files] of damagesOf(whole.files)) {
      const { readable } = readableIds(files, whole.files)
      let sequence = 0
      while (readable.has(0) && readable.has(sequence + 1)) sequence += 1
      // The last one is open, and empty.
      const least = whole.recordsAt[Math.min(sequence, SEGMENTS)]!
      const { keptRecords, state, problems } = await repaired(files)
      expect(keptRecords, label).toBeGreaterThanOrEqual(least)
      expect(state, label).toBe(whole.states.get(keptRecords))
      expect(problems, label).toEqual([])
      if (keptRecords > 0 && keptRecords < whole.recordsAt.at(-1)!) kept += 1
    }
    expect(kept).toBeGreaterThan(10)
  })

  test("that held history only: keeps what comes after it", async () => {
    let historyLost = 0
    for (const [label, files] of damagesOf(compacted.files)) {
      const { readable, all } = readableIds(files, compacted.files)
      const lost = all.filter((id) => !readable.has(id))
      const { state, problems } = await repaired(files)
      expect(problems, label).toEqual([])
      if (lost.some((id) => id <= 0 || id > COVERED)) continue
      expect(state, label).toBe(compacted.lastState)
      if (lost.length > 0) historyLost += 1
    }
    expect(historyLost).toBeGreaterThan(3)
  })

  test("keeps what lies between two of them where a snapshot covers the first", async () => {
    const history = pageThatHolds(compacted.files, (ids) => ids.every((id) => id > 0 && id <= COVERED))
    const end = pageThatHolds(compacted.files, (ids) => ids.includes(SEGMENTS + 1))
    const files = zeroed(compacted.files, history, end)
    const { readable } = readableIds(files, compacted.files)
    let last = COVERED
    while (readable.has(last + 1)) last += 1
    expect(last).toBeGreaterThan(COVERED)
    expect(last).toBeLessThan(SEGMENTS)
    expect((await repaired(files)).state).toBe(compacted.states.get(compacted.recordsAt[last]!))
  })

  test("says once that the file is malformed", async () => {
    const end = pageThatHolds(whole.files, (ids) => ids.includes(SEGMENTS + 1) && !ids.includes(0))
    const { gaveUp, keptRecords } = await repaired(zeroed(whole.files, end))
    expect(gaveUp).toEqual(["the file: database disk image is malformed"])
    expect(keptRecords).toBeGreaterThan(300)
  })
})

describe("repair() of a store whose rows", () => {
  function changed(statement: string): Files {
    const path = layOut(whole.files)
    const database = new DatabaseSync(join(path, LOG_FILE))
    database.exec(statement)
    database.close()
    return readFiles(path)
  }

  test("are no blobs says so, of the meta row as of a segment", async () => {
    const ofMeta = await repaired(changed("UPDATE sluice_log SET body = 'text' WHERE id = 0"))
    expect(ofMeta).toMatchObject({ keptRecords: 0, gaveUp: expect.arrayContaining(["row 0: its body is no blob"]) })
    const ofSegment = await repaired(changed("UPDATE sluice_log SET body = 5 WHERE id = 9"))
    expect(ofSegment).toMatchObject({
      keptRecords: whole.recordsAt[8],
      gaveUp: expect.arrayContaining(["row 9: its body is no blob"]),
    })
  })

  test("are all gone begins a new one", async () => {
    const { keptRecords, gaveUp, state } = await repaired(changed("DELETE FROM sluice_log"))
    expect({ keptRecords, gaveUp }).toEqual({ keptRecords: 0, gaveUp: ["the meta row: it is missing"] })
    expect(state).toBe(whole.states.get(0))
  })
})
