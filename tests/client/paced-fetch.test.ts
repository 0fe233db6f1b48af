import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { type PacedFetchOptions, pacedFetch } from "../../src/client/index.js"
import { type HeaderStyle, rateLimit } from "../../src/http/index.js"

const START_MS = 1_700_000_000_000
beforeEach(() => vi.useFakeTimers({ now: START_MS }))
afterEach(() => vi.useRealTimers())

const URL_A = "https://a.example/x"

/** A server of our own, 10 ms away each way, that notes when it was asked and what it answered. */
function server(policy: string, headers: readonly HeaderStyle[] | HeaderStyle = "draft-11") {
  const seen: { atMs: number; status: number; url: string }[] = []
  const later = () => new Promise((resolve) => setTimeout(resolve, 10))
  const handler = rateLimit(() => new Response("ok"), { policy, headers, key: () => "client" })
  const fetch = async (request: Request) => {
    await later()
    const atMs = Date.now() - START_MS
    const response = await handler(request)
    seen.push({ atMs, status: response.status, url: request.url })
    await later()
    return response
  }
  return { fetch, seen }
}

async function ask(count: number, paced: ReturnType<typeof pacedFetch>, advanceMs: number) {
  const answers = Promise.allSettled(Array.from({ length: count }, () => paced(URL_A)))
  await vi.advanceTimersByTimeAsync(advanceMs)
  return answers
}

describe("pacedFetch()", () => {
  test.each(["draft-11", "draft-7", "draft-6", "legacy"] as const)(
    "keeps below the limit that a server tells in %s: none of many requests is refused",
    async (style) => {
      const { fetch, seen } = server("5/2s fixed_window", style)
      const answers = await ask(23, pacedFetch(fetch), 60_000)
      expect(answers.map(({ status }) => status)).toEqual(Array(23).fill("fulfilled"))
      expect(seen.map(({ status }) => status)).toEqual(Array(23).fill(200))
      expect(seen.at(-1)!.atMs).toBeLessThan(13_000)
    },
  )

  test("keeps below the limit although answers come in another order than they were written", async () => {
    const handler = rateLimit(() => new Response("ok"), { policy: "5/2s fixed_window", key: () => "client" })
    const statuses: number[] = []
    const paced = pacedFetch(async (request) => {
      const response = await handler(request)
      statuses.push(response.status)
      // The later it was written, the earlier it comes.
      await new Promise((resolve) => setTimeout(resolve, 100 - (statuses.length % 10) * 10))
      return response
    })
    const answers = await ask(23, paced, 60_000)
    expect(answers.map(({ status }) => status)).toEqual(Array(23).fill("fulfilled"))
    expect(statuses).toEqual(Array(23).fill(200))
  })

  test("keeps below several quotas at once", async () => {
    const { fetch, seen } = server("3/second; 7/5s")
    await ask(20, pacedFetch(fetch), 120_000)
    expect(seen).toHaveLength(20)
    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set([200]))
  })

  test("keeps below quotas of one name, those of limiters that follow each other", async () => {
    const options = { key: () => "client" }
    const handler = rateLimit(() => new Response("ok"), { policy: "3/2s fixed_window", ...options })
    const outer = rateLimit(handler, { policy: "100/2s fixed_window", ...options })
    const statuses: number[] = []
    const paced = pacedFetch(async (request) => {
      const response = await outer(request)
      statuses.push(response.status)
      return response
    })
    await ask(11, paced, 20_000)
    expect(statuses).toEqual(Array(11).fill(200))
  })

  test("sends one request first, and all others at once where the server tells of no limit", async () => {
    const times: number[] = []
    const paced = pacedFetch(async () => {
      times.push(Date.now() - START_MS)
      await new Promise((resolve) => setTimeout(resolve, 10))
      return new Response("ok")
    })
    await ask(5, paced, 100)
    expect(times).toEqual([0, 10, 10, 10, 10])
  })

  test("does not let one server hold up another", async () => {
    const asked: string[] = []
    const paced = pacedFetch(async (request) => {
      asked.push(new URL(request.url).hostname)
      const fields = request.url.includes("a.example") ? { RateLimit: '"x";r=0;t=30' } : {}
      return new Response("ok", { headers: fields })
    })
    const answers = ["https://a.example", "https://a.example", "https://b.example"].map((url) => paced(url))
    await vi.advanceTimersByTimeAsync(10)
    expect(asked).toEqual(["a.example", "b.example"])
    await vi.advanceTimersByTimeAsync(30_000)
    await Promise.all(answers)
    expect(asked).toEqual(["a.example", "b.example", "a.example"])
  })

  test("sends a refused request again when the server says so, its body too", async () => {
    const bodies: string[] = []
    const times: number[] = []
    const paced = pacedFetch(async (request) => {
      bodies.push(await request.text())
      times.push(Date.now() - START_MS)
      return times.length < 3
        ? new Response("no", { status: 429, headers: { "Retry-After": "2" } })
        : new Response("ok")
    })
    const answer = paced(URL_A, { method: "POST", body: "hello" })
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await answer).status).toBe(200)
    expect([bodies, times]).toEqual([
      ["hello", "hello", "hello"],
      [0, 2_000, 4_000],
    ])
  })

  test("reads no body of a refusal that is asked again, and leaves none open", async () => {
    const cancel = vi.fn()
    const refusal = () => new Response(new ReadableStream({ cancel }), { status: 429, headers: { "Retry-After": "2" } })
    const answers = [refusal(), new Response("ok")]
    const [answer] = await ask(
      1,
      pacedFetch(async () => answers.shift()!),
      2_000,
    )
    expect(answer).toMatchObject({ status: "fulfilled", value: { status: 200 } })
    expect(cancel).toHaveBeenCalledOnce()
  })

  test.each([
    ["GET", 429, {}, 3, 2_000],
    ["GET", 503, { "Retry-After": "1" }, 3, 2_000],
    ["GET", 503, {}, 1, 0],
    ["GET", 503, { "Retry-After": "-5" }, 1, 0],
    ["GET", 429, { "Retry-After": "1.5" }, 3, 2_000],
    ["POST", 503, { "Retry-After": "1" }, 1, 0],
    ["GET", 500, { "Retry-After": "1" }, 1, 0],
    ["GET", 429, { "Retry-After": "60" }, 3, 120_000],
    ["GET", 429, { "Retry-After": "61" }, 1, 0],
  ])("asks %s with %i %j so often: %i", async (method, status, headers, times, tookMs) => {
    let count = 0
    const paced = pacedFetch(async () => {
      count += 1
      return new Response(null, { status, headers: headers as Record<string, string> })
    })
    let endedAtMs = -1
    const answer = paced(URL_A, { method }).finally(() => {
      endedAtMs = Date.now() - START_MS
    })
    await vi.advanceTimersByTimeAsync(200_000)
    expect([(await answer).status, count, endedAtMs]).toEqual([status, times, tookMs])
  })

  test("does not wait longer than maxWaitMs, and does not ask the server then", async () => {
    const { fetch, seen } = server("1/minute")
    const answers = await ask(2, pacedFetch(fetch, { maxWaitMs: 59_000 }), 60_000)
    expect(answers[0]?.status).toBe("fulfilled")
    expect(answers[1]).toMatchObject({ status: "rejected", reason: { name: "TimeoutExceeded", retryAfterMs: 60_000 } })
    expect(seen).toHaveLength(1)
  })

  test("ends by the signal, in its turn or before, and those behind go on", async () => {
    const { fetch, seen } = server("1/second")
    const paced = pacedFetch(fetch)
    const controller = new AbortController()
    const reason = new Error("gone")
    await ask(1, paced, 100)
    const [first, second] = [paced(URL_A, { signal: controller.signal }), paced(URL_A, { signal: controller.signal })]
    const third = paced(URL_A)
    const ended = Promise.allSettled([first, second])
    await vi.advanceTimersByTimeAsync(1)
    controller.abort(reason)
    await vi.advanceTimersByTimeAsync(0)
    expect(await ended).toEqual([
      { status: "rejected", reason },
      { status: "rejected", reason },
    ])
    await vi.advanceTimersByTimeAsync(2_000)
    expect((await third).status).toBe(200)
    expect(seen).toHaveLength(2)
  })

  test.each([0, 1, 2, 3, 4, 5])(
    "ends by the signal %d microtasks after it began, and holds up nobody",
    async (ticks) => {
      const paced = pacedFetch(async () => new Response("ok"), { maxWaitMs: 50 })
      const controller = new AbortController()
      const first = Promise.allSettled([paced(URL_A, { signal: controller.signal })])
      for (let tick = 0; tick < ticks; tick++) await undefined
      controller.abort()
      await first
      const [next] = await ask(1, paced, 100)
      expect(next).toMatchObject({ status: "fulfilled" })
    },
  )

  test.each([Number.NaN, -1, 0.5])("refuses the cost %d, and sends nothing", async (cost) => {
    const fetch = vi.fn(async () => new Response("ok"))
    await expect(pacedFetch(fetch, { cost: () => cost })(URL_A)).rejects.toThrow("Cannot pace: cost is")
    expect(fetch).not.toHaveBeenCalled()
  })

  test("a request without an answer counts as used, and the next ones go on", async () => {
    const times: number[] = []
    const paced = pacedFetch(async () => {
      times.push(Date.now() - START_MS)
      if (times.length === 2) throw new TypeError("network")
      return new Response("ok", { headers: { RateLimit: '"x";r=1;t=5' } })
    })
    await ask(1, paced, 0)
    const answers = await ask(2, paced, 5_000)
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "fulfilled"])
    expect(times).toEqual([0, 0, 5_000])
  })

  test("the request behind a first one without an answer goes at once", async () => {
    const times: number[] = []
    const paced = pacedFetch(async () => {
      const isFirst = times.push(Date.now() - START_MS) === 1
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (isFirst) throw new TypeError("network")
      return new Response("ok")
    })
    const answers = Promise.allSettled([paced(URL_A), paced(URL_A)])
    await vi.advanceTimersByTimeAsync(100)
    expect(times).toEqual([0, 10])
    expect((await answers).map(({ status }) => status)).toEqual(["rejected", "fulfilled"])
  })

  test('pacing "even" spreads what is left over the time until the quota is full', async () => {
    const times: number[] = []
    const paced = pacedFetch(
      async () => {
        times.push(Date.now() - START_MS)
        const left = 5 - times.length
        return new Response("ok", {
          headers: { RateLimit: `"x";r=${left};t=${10 - Math.ceil((Date.now() - START_MS) / 1_000)}` },
        })
      },
      { pacing: "even" },
    )
    await ask(5, paced, 20_000)
    const gaps = times.slice(1).map((time, index) => time - times[index]!)
    expect(times[0]).toBe(0)
    expect(Math.min(...gaps.slice(1))).toBeGreaterThanOrEqual(2_000)
    expect(times.at(-1)).toBeLessThanOrEqual(10_000)
  })

  test("takes key and cost of a request", async () => {
    const asked: string[] = []
    const options: PacedFetchOptions = { key: ({ headers }) => headers.get("User")!, cost: () => 3 }
    const paced = pacedFetch(async (request) => {
      asked.push(`${request.headers.get("User")} ${Date.now() - START_MS}`)
      return new Response("ok", { headers: { RateLimit: '"x";r=2;t=4' } })
    }, options)
    const answers = ["u", "u", "v"].map((User) => paced(URL_A, { headers: { User } }))
    await vi.advanceTimersByTimeAsync(5_000)
    await Promise.all(answers)
    expect(asked).toEqual(["u 0", "v 0", "u 4000"])
  })

  test.each<[string, unknown]>([
    ["pacing", { pacing: "slow" }],
    ["retries", { retries: -1 }],
    ["retries", { retries: 101 }],
    ["maxWaitMs", { maxWaitMs: 0.5 }],
    ["key", { key: "origin" }],
    ["cost", { cost: 2 }],
    ['"maxWait", allowed is key, cost, pacing, retries, maxWaitMs (did you mean "maxWaitMs"?)', { maxWait: 5 }],
    ["options", null],
  ])("refuses a %s that cannot be: %j", (field, options) => {
    expect(() => pacedFetch(fetch, options as PacedFetchOptions)).toThrow(RangeError)
    expect(() => pacedFetch(fetch, options as PacedFetchOptions)).toThrow(field)
  })

  test("refuses options in the place of a fetch", () => {
    expect(() => pacedFetch({ retries: 1 } as unknown as typeof fetch)).toThrow("fetch is")
  })
})
