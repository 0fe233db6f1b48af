import { DatabaseSync } from "node:sqlite"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { openLimiter } from "../../src/embedded/open-limiter.node.js"
import { ManualClock } from "../../src/types/clock.js"
import { StoreCorrupt, StoreUnavailable } from "../../src/types/errors.js"
import { START_MS } from "../conformance/limiter-case.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

type Limiter = Awaited<ReturnType<typeof openLimiter>>

const database = new DatabaseSync(":memory:")
const statements = Object.getPrototypeOf(database.prepare("SELECT 1"))

afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  database.close()
  removeFolders()
})

/** Has the next reads fail as SQLite does, with one of its result codes; the first of them where not told otherwise. */
function failReads(errcode: number, message: string, { times = 1 } = {}): void {
  const spy = vi.spyOn(statements, "all")
  const error = Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", errcode })
  for (let each = 0; each < times; each++) {
    spy.mockImplementationOnce(() => {
      throw error
    })
  }
}

const DAMAGED = [11, "database disk image is malformed"] as const
const DISK_FAILS = [10, "disk I/O error"] as const

/** A store under `batch`, whose answers are told before they are in the file, and what it told of failures. */
async function openBatch() {
  const failures: unknown[] = []
  const path = temporaryFolder()
  const open = () =>
    openLimiter({
      ...{ path, policy: "9/day", sync: "batch", flushEveryMs: 600_000 },
      clock: new ManualClock(START_MS),
      onFailure: (error) => failures.push(error),
    })
  const limiter = await open()
  await limiter.check("a")
  return { limiter, open, failures }
}

async function drain(records: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of records);
}

const READS: Readonly<Record<string, (limiter: Limiter) => Promise<unknown>>> = {
  "history()": (limiter) => limiter.history("a"),
  "explain()": (limiter) => limiter.explain("a"),
  "records()": (limiter) => drain(limiter.records()),
  "verify()": (limiter) => limiter.verify(),
  "compact()": (limiter) => limiter.compact(),
}

describe.each(Object.entries(READS))("%s that cannot read the log", (_, read) => {
  test("a damaged file: StoreCorrupt", async () => {
    const { limiter } = await openBatch()
    failReads(...DAMAGED)
    const failed = read(limiter)
    await expect(failed).rejects.toThrow(StoreCorrupt)
    await expect(failed).rejects.toThrow("the file is corrupt: SQLite says: database disk image is malformed.")
    await limiter.close()
  })

  test("a disk that fails once: StoreUnavailable; the store stays open, loses nothing, and is read again", async () => {
    const { limiter, open, failures } = await openBatch()
    failReads(...DISK_FAILS)
    const failed = read(limiter)
    // Not in the file when the read fails, but for what that commits first.
    const checked = limiter.check("a")
    await expect(failed).rejects.toThrow(StoreUnavailable)
    await expect(failed).rejects.toThrow("Cannot reach the store: SQLite says: disk I/O error.")
    expect((await checked).remaining).toBe(7)
    await read(limiter)
    expect((await limiter.verify()).replayEqualsLive).toBe(true)
    await limiter.close()
    expect(failures).toEqual([])
    const again = await open()
    expect((await again.status("a")).remaining).toBe(7)
    await again.close()
  })
})

test("verify() that fails at a later row: the store goes on, and verifies again", async () => {
  const { limiter } = await openBatch()
  const all = statements.all
  let reads = 0
  vi.spyOn(statements, "all").mockImplementation(function (this: unknown, ...values: unknown[]) {
    reads += 1
    if (reads === 3) throw Object.assign(new Error(DISK_FAILS[1]), { code: "ERR_SQLITE_ERROR", errcode: DISK_FAILS[0] })
    return all.apply(this, values)
  })
  await expect(limiter.verify()).rejects.toThrow(StoreUnavailable)
  expect((await limiter.check("a")).remaining).toBe(7)
  expect((await limiter.verify()).replayEqualsLive).toBe(true)
  await limiter.close()
})

test("compact() that cannot tell how long the log is leaves it to be compacted by itself", async () => {
  const limiter = await openLimiter({ path: temporaryFolder(), policy: "9/day", compactBytes: 4_096 })
  failReads(...DISK_FAILS)
  await expect(limiter.compact()).rejects.toThrow(StoreUnavailable)
  const key = "k".repeat(500)
  for (let check = 0; check < 100; check++) await limiter.check(`${key}${check}`, { cost: 1 })
  const { coveredSequence } = await limiter.verify()
  expect(coveredSequence).toBeGreaterThan(0)
  await limiter.close()
})

test("history() of a segment whose body is no blob: StoreCorrupt, which names it", async () => {
  const { limiter } = await openBatch()
  vi.spyOn(statements, "all").mockReturnValueOnce([{ id: 1, body: "text" }])
  const failed = limiter.history("a")
  await expect(failed).rejects.toThrow("Cannot recover the store: segment 1 is corrupt: its body is no blob.")
  await limiter.close()
})

test("GET /v1/history of a damaged file: 500 STORE_CORRUPT", async () => {
  const { limiter } = await openBatch()
  const api = createApi({ limits: limiter, token: null, onError: () => undefined })
  failReads(...DAMAGED)
  const response = await api.fetch(new Request("http://localhost/v1/history/a"))
  expect(response.status).toBe(500)
  expect(await response.json()).toMatchObject({ code: "STORE_CORRUPT" })
  await limiter.close()
})
