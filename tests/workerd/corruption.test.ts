import { createExecutionContext, evictDurableObject, runInDurableObject, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { StoreCorrupt, StoreVersion } from "../../src/types/errors.js"
import { workerApi } from "../../worker/api/worker-api.js"
import { readSettings } from "../../worker/settings.js"
import { rateLimit } from "../../worker/sluice-worker.js"
import { errorOf } from "./error-of.js"
import {
  clockedLimiter,
  longPolicies,
  type Row,
  readRows,
  realLimiter,
  replaceRows,
  rowsOf,
  subjectTextOf,
  writeRows,
} from "./objects.js"

const HASH_BYTES = 32

/** What an error calls a row. */
function rowName(id: number): string {
  if (id === 0) return "the meta row"
  return id > 0 ? `segment ${id}` : `snapshot part ${-id % 65_536}`
}

function withBody(rows: readonly Row[], id: number, body: Uint8Array): Row[] {
  return rows.map((row) => (row.id === id ? { id, body } : row))
}

function flipped(body: Uint8Array, at: number): Uint8Array {
  const copy = body.slice()
  copy[at]! ^= 1 << (at % 8)
  return copy
}

/** A row as a later version would have sealed it. */
async function withFormat(body: Uint8Array, format: number): Promise<Uint8Array> {
  const copy = body.slice()
  copy[1] = format
  const hashed = copy.subarray(0, -HASH_BYTES)
  copy.set(new Uint8Array(await crypto.subtle.digest("SHA-256", hashed)), hashed.length)
  return copy
}

/** A log of a meta row, a snapshot and several segments, of which the last is open. */
async function longLog() {
  const { changePolicy, limiter, object } = longPolicies()
  for (let change = 0; change < 100; change++) await changePolicy()
  const rows = (await rowsOf(object()))!
  const segments = rows.filter(({ id }) => id > 0).map(({ id }) => id)
  return { limiter, object, rows, segments }
}

describe("LimiterObject with a flipped bit", () => {
  test("in any byte of a short log refuses it, names the row and overwrites nothing", async () => {
    const { limiter, object } = clockedLimiter("10/day")
    await limiter.check("a", { cost: 3 })
    const rows = (await rowsOf(object()))!
    const text = subjectTextOf(limiter.policy.canonical)
    await replaceRows(object(), rows)
    await runInDurableObject(object(), async (instance, { storage }) => {
      for (const { id, body } of rows) {
        for (let at = 0; at < body.length; at++) {
          const corrupt = withBody(rows, id, flipped(body, at))
          writeRows(storage, corrupt)
          const error = await errorOf(Promise.resolve(instance.decide("a", text, 1)))
          expect(error).toBeInstanceOf(StoreCorrupt)
          expect((error as StoreCorrupt).row).toBe(rowName(id))
          expect(readRows(storage)).toEqual(corrupt)
        }
      }
      writeRows(storage, rows)
    })
    // What was put back is as good as ever.
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 6 })
  }, 30_000)

  test("in any row of a long log refuses it and names the row", async () => {
    const { limiter, object, rows } = await longLog()
    const text = subjectTextOf(limiter.policy.canonical)
    await replaceRows(object(), rows)
    await runInDurableObject(object(), async (instance, { storage }) => {
      for (const { id, body } of rows) {
        const places = [0, 1, 2, 10, 40, 50, Math.floor(body.length / 2), body.length - HASH_BYTES - 1, body.length - 1]
        for (const at of places.filter((place) => place < body.length)) {
          const corrupt = withBody(rows, id, flipped(body, at))
          writeRows(storage, corrupt)
          await expect(instance.decide("a", text, 1)).rejects.toMatchObject({ name: "StoreCorrupt", row: rowName(id) })
          expect(readRows(storage)).toEqual(corrupt)
        }
      }
      writeRows(storage, rows)
    })
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 899 })
  }, 30_000)

  test("is refused by every verb, and by verify() while the object is in memory", async () => {
    const { limiter, object } = clockedLimiter("10/day")
    const { receipt } = await limiter.check("a")
    const rows = (await rowsOf(object()))!
    const corrupt = withBody(rows, 0, flipped(rows[0]!.body, 5))
    await runInDurableObject(object(), async (instance, { storage }) => {
      writeRows(storage, corrupt)
      await expect(instance.verify()).rejects.toMatchObject({ name: "StoreCorrupt", row: "the meta row" })
    })
    await replaceRows(object(), corrupt)
    const calls = [
      () => limiter.check("a"),
      () => limiter.peek("a"),
      () => limiter.charge("a", 1),
      () => limiter.refund(receipt!),
      () => limiter.settle(receipt!, 3),
      () => limiter.block("a", "1m"),
      () => limiter.unblock("a"),
      () => limiter.reset("a"),
      () => limiter.status("a"),
      () => limiter.stats("a"),
    ]
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(StoreCorrupt)
    expect(await rowsOf(object())).toEqual(corrupt)
  })
})

describe("LimiterObject with rows that are not where they were", () => {
  let log: Awaited<ReturnType<typeof longLog>>
  beforeAll(async () => {
    log = await longLog()
  })

  /** Puts these rows in place and expects them to be refused, and to stay. */
  async function expectRefused(rows: readonly Row[], row: string): Promise<void> {
    const { limiter, object } = log
    const inOrder = rows.toSorted((a, b) => a.id - b.id)
    await replaceRows(object(), inOrder)
    await expect(limiter.check("a")).rejects.toMatchObject({ name: "StoreCorrupt", row })
    expect(await rowsOf(object())).toEqual(inOrder)
  }

  test("has a log of several segments after a snapshot to lose", () => {
    expect(log.rows.map(({ id }) => id)).toEqual([log.rows[0]!.id, 0, ...log.segments])
    expect(log.segments.length).toBeGreaterThanOrEqual(3)
  })

  test("refuses a log without one of its rows, whichever it is", async () => {
    const { rows, segments } = log
    for (const { id } of rows) {
      // Without its snapshot a log should begin with its first segment.
      const missing = id < 0 ? "segment 1" : rowName(id)
      await expectRefused(
        rows.filter((row) => row.id !== id),
        missing,
      )
    }
    await expectRefused([], "the meta row")
    const last = segments.at(-1)!
    await expectRefused(
      rows.filter(({ id }) => id < last - 1),
      rowName(last - 1),
    )
  })

  test("refuses a row that is there twice", async () => {
    const { rows, segments } = log
    const last = segments.at(-1)!
    const [first] = segments
    expect(first).toBeGreaterThan(1)
    for (const { id, body } of rows) {
      if (id > 0) await expectRefused([...rows, { id: last + 1, body }], rowName(last + 1))
      if (id > 0) await expectRefused([...rows, { id: first! - 1, body }], rowName(first! - 1))
      const beside = rows[0]!.id - 1
      await expectRefused([...rows, { id: beside, body }], rowName(beside))
    }
  })

  test("refuses two rows that were swapped", async () => {
    const { rows } = log
    for (let index = 1; index < rows.length; index++) {
      const [a, b] = [rows[index - 1]!, rows[index]!]
      const swapped = withBody(withBody(rows, a.id, b.body), b.id, a.body)
      // The meta row is read first, then the snapshot, then the segments.
      await expectRefused(swapped, rowName(a.id < 0 || b.id === 0 ? 0 : a.id))
    }
  })

  test("refuses a row of another object in the same place", async () => {
    const other = await longLog()
    for (const { id, body } of other.rows) {
      const mixed = withBody(log.rows, id, body)
      await replaceRows(log.object(), mixed)
      await expect(log.limiter.check("a")).rejects.toBeInstanceOf(StoreCorrupt)
      expect(await rowsOf(log.object())).toEqual(mixed)
    }
  })

  test("refuses rows that are cut, longer, empty or no blob", async () => {
    const { limiter, object, rows } = log
    for (const { id, body } of rows) {
      for (const changed of [body.subarray(0, -1), body.subarray(1), new Uint8Array([...body, 0]), new Uint8Array(0)]) {
        await expectRefused(withBody(rows, id, changed), rowName(id))
      }
    }
    for (const value of ["text", 1]) {
      await replaceRows(object(), rows)
      await runInDurableObject(object(), (_object, { storage }) => {
        storage.sql.exec("UPDATE sluice_log SET body = ? WHERE id = 0", value)
      })
      await evictDurableObject(object())
      await expect(limiter.check("a")).rejects.toMatchObject({ name: "StoreCorrupt", row: "row 0" })
    }
    await replaceRows(object(), rows)
    expect(await limiter.status("a")).toMatchObject({ remaining: 900 })
  })
})

describe("LimiterObject of a newer format", () => {
  test("is refused with the format that was found, and nothing is overwritten", async () => {
    const { limiter, object } = clockedLimiter("10/day")
    await limiter.check("a")
    const rows = (await rowsOf(object()))!
    for (const { id, body } of rows) {
      const newer = withBody(rows, id, await withFormat(body, 2))
      await replaceRows(object(), newer)
      const error = await limiter.check("a").catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreVersion)
      expect(error).toMatchObject({ code: "STORE_VERSION", found: 2, supported: 1 })
      expect(await rowsOf(object())).toEqual(newer)
    }
  })
})

describe("in front of a corrupt object", () => {
  const key = "a"

  async function corruptLimit(name: string): Promise<void> {
    const object = env.LIMITER.getByName(`${name}\n${key}`)
    const rows = (await rowsOf(object))!
    await replaceRows(object, withBody(rows, 1, flipped(rows[1]!.body, 3)))
  }

  test.each([
    { failMode: "open", statuses: [200, 200, 200] },
    { failMode: "closed", statuses: [503, 503, 503] },
    { failMode: "local", statuses: [200, 200, 429] },
  ] as const)("rateLimit() answers as failMode $failMode says", async ({ failMode, statuses }) => {
    const name = `corrupt ${failMode}`
    const errors: unknown[] = []
    const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
      policy: "2/day",
      name,
      key: () => key,
      failMode,
      onError: (error) => void errors.push(error),
    })
    const ask = async () => {
      const context = createExecutionContext()
      const response = await limited(new Request("http://localhost/"), env, context)
      await waitOnExecutionContext(context)
      return response.status
    }
    expect(await ask()).toBe(200)
    await corruptLimit(name)
    expect([await ask(), await ask(), await ask()]).toEqual(statuses)
    expect(errors).toHaveLength(3)
    for (const error of errors) expect(error).toBeInstanceOf(StoreCorrupt)
  })

  test("the API logs which object it is, and tells it nobody", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {})
    const name = "corrupt api"
    const { LIMITER, REGISTRY, EVENT_HUB } = env
    const settings = readSettings({ LIMITS: [{ name, paths: ["/"], policy: "9/day" }] })
    const api = workerApi({ LIMITER, REGISTRY, EVENT_HUB }, settings)!
    const check = async () => {
      const request = new Request("http://localhost/v1/check", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ key, limit: name }),
      })
      const response = (await api.answer(request, new URL(request.url)))!
      return { status: response.status, body: await response.text() }
    }
    expect((await check()).status).toBe(200)
    await corruptLimit(name)
    // The second and third share a call.
    const answers = await Promise.all([check(), check(), check()])
    for (const { status, body } of answers) {
      expect(status).toBe(500)
      expect(JSON.parse(body)).toMatchObject({ code: "STORE_CORRUPT", row: "segment 1" })
      expect(body).not.toContain(name)
    }
    const told = logged.mock.calls.map(([error]) => error).filter((error) => error instanceof StoreCorrupt)
    logged.mockRestore()
    expect(told).toHaveLength(3)
    for (const error of told) expect(error).toMatchObject({ object: `${name}\n${key}` })
  })

  test("does not touch the limits of other keys", async () => {
    const { limiter, object } = realLimiter("2/day")
    await limiter.check("a")
    await limiter.check("b")
    const rows = (await rowsOf(object()))!
    await replaceRows(object(), withBody(rows, 1, flipped(rows[1]!.body, 3)))
    await expect(limiter.check("a")).rejects.toBeInstanceOf(StoreCorrupt)
    expect(await limiter.check("b")).toMatchObject({ allowed: true, remaining: 0 })
  })
})
