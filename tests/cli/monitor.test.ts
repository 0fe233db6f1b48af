import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, test } from "vitest"
import type { Terminal } from "../../src/cli/terminal.js"
import { textWidth } from "../../src/cli/text-width.js"
import { type Ran, run } from "./run.js"

const closing: (() => unknown)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const START_MS = Date.parse("2026-11-21T12:00:00Z")
const NO_KEYS = { most_denied: [], most_allowed: [] }

/** What a server tells so many seconds after the start. */
function totals(seconds: number, allowed: number, keys: object = NO_KEYS): string {
  const at = new Date(START_MS + seconds * 1_000).toISOString()
  return JSON.stringify({
    at,
    allowed,
    denied: 0,
    allowed_cost: allowed,
    denied_cost: 0,
    failures: 0,
    ...NO_KEYS,
    ...keys,
  })
}

/** What a server tells of itself that was started so many seconds after the start. */
function health(seconds: number, storage = "data"): string {
  const at = new Date(START_MS + seconds * 1_000).toISOString()
  return JSON.stringify({ ok: true, version: "1.0.0", storage, started_at: at, now: at })
}

/** Monitors a server that gives these answers, one a look: totals, or the status of a proxy's page. */
async function monitor(
  answers: readonly (string | number)[],
  looks: number,
  over: Partial<Terminal> = {},
  about: string | number = 404,
): Promise<Ran> {
  const left = [...answers]
  const server = createServer(({ url }, response) => {
    const answer = url === "/v1/health" ? about : left.shift()
    if (typeof answer === "string") response.writeHead(200, { "Content-Type": "application/json" }).end(answer)
    else response.writeHead(answer ?? 404, { "Content-Type": "text/html" }).end("<h1>Bad Gateway</h1>")
  }).listen(0, "127.0.0.1")
  closing.push(() => server.close())
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const json = over.columns === undefined ? ["--json"] : []
  return run(["monitor", ...json, "-i", "50", "-n", String(looks), "--server", url], over)
}

const ratesIn = ({ out }: Ran) =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).rates.allowed)

describe("sluice monitor", () => {
  test("reckons over the time between what the server told, and leaves out what it tells again", async () => {
    const kept = [totals(0, 0), totals(0, 0), totals(5, 500), totals(5, 500), totals(5, 500), totals(10, 1_500)]
    const ran = await monitor(kept, 2)
    expect(ran).toMatchObject({ code: 0, err: "" })
    expect(ratesIn(ran)).toEqual([100, 200])
  })

  test.each([61, 15, 2.9, 0.001])(
    "has no rate for the look before which the server's clock was set back by %d s, and counts that look",
    async (seconds) => {
      const back = [totals(1 - seconds, 2_000), totals(2 - seconds, 3_000), totals(3 - seconds, 5_000)]
      const ran = await monitor([totals(0, 0), totals(1, 1_000), ...back], 4, {}, health(-90))
      expect(ratesIn(ran)).toEqual([1_000, 1_000, 2_000])
    },
  )

  test("waits for newer totals where nobody tells whether older ones are of a clock that was set back", async () => {
    const ran = await monitor([totals(0, 0), totals(1, 100), totals(-2, 150), totals(3, 300)], 2, {}, 503)
    expect(ratesIn(ran)).toEqual([100, 100])
  })

  test("does not go back to the older counts of another isolate, which answers in turn", async () => {
    const [one, other] = [totals(0, 0), totals(2, 200)]
    const later = [totals(5, 800), totals(7, 900), totals(5, 800), totals(7, 900), totals(10, 900)]
    const ran = await monitor([one, other, one, other, ...later], 4, {}, health(1, "durable objects"))
    expect(ratesIn(ran)).toEqual([100, 200, 50, 0])
  })

  test("tells failures per second, and in words while they grow, and nothing of a store that never failed", async () => {
    const failed = (seconds: number, failures: number) => totals(seconds, 0, { ...NO_KEYS, failures })
    const told = [failed(0, 5), failed(1, 5), failed(3, 71), failed(4, 71)]
    const { out } = await monitor(told, 3, { columns: 80, rows: 24 })
    const [well, failing, again] = out.split("sluice  ").slice(1)
    expect(well).not.toMatch(/failed|does not decide/)
    expect(failing).toMatch(/failed +33\/s .*\nThe store does not decide checks/)
    expect(again).toMatch(/failed +0\/s/)
    expect(again).not.toContain("does not decide")
    const json = await monitor(told.slice(1), 1)
    expect(JSON.parse(json.out)).toMatchObject({ failures: 71, rates: { allowed: 0, denied: 0, failures: 33 } })
  })

  const sums = (seconds: number, allowed: number, denied: number, failures: number) =>
    totals(seconds, allowed, { ...NO_KEYS, denied, failures })
  const allRates = ({ out }: Ran) =>
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).rates)

  test("counts from 0 where the server was started anew, whichever of its sums tells so", async () => {
    const ran = await monitor([sums(0, 100, 90, 5), sums(1, 300, 190, 5), sums(3, 400, 60, 8)], 2, {}, health(2))
    expect(allRates(ran)).toEqual([
      { allowed: 200, denied: 100, failures: 0 },
      { allowed: 200, denied: 30, failures: 4 },
    ])
  })

  test.each([
    ["of a Worker, whose isolates answer in turn", health(1, "durable objects")],
    ["of a server that went on all the time", health(-60)],
    ["of a server that is away before it can be asked", 503],
  ])("takes a lower sum %s for one that did not grow", async (_, about) => {
    const ran = await monitor([sums(0, 9_000, 90, 0), sums(1, 8_990, 95, 0), sums(2, 9_010, 96, 0)], 2, {}, about)
    expect(ran.err).toBe("")
    expect(allRates(ran)).toEqual([
      { allowed: 0, denied: 5, failures: 0 },
      { allowed: 20, denied: 1, failures: 0 },
    ])
  })

  test("writes over what stands there only on a terminal that can", async () => {
    const looks = [totals(0, 0), totals(1, 1)]
    const onTerminal = { isTty: true, columns: 80 }
    expect((await monitor(looks, 1, onTerminal)).out).toContain("\u001b[H")
    const { out } = await monitor(looks, 1, { ...onTerminal, env: { TERM: "dumb" } })
    expect(out).not.toContain("\u001b")
    expect(out).toContain("server http://127.0.0.1")
  })

  test("leaves a blank in its lines where nobody answered", async () => {
    // A client asks three times by itself.
    const answers = [totals(0, 0), totals(1, 10), 502, 502, 502, totals(3, 30)]
    const { out } = await monitor(answers, 3, { columns: 80, rows: 24 })
    expect(out).toMatch(/allowed +10\/s {2}█ █\n/)
  })

  test("goes on over a proxy's page that says that the server is away, and ends at a refusal", async () => {
    // A client asks three times by itself.
    const away = [502, 502, 502, 504, 504, 504, 500]
    const ran = await monitor([totals(0, 0), ...away, totals(1, 10)], 4)
    expect(ran.code).toBe(0)
    expect(ratesIn(ran)).toEqual([10])
    expect(ran.err).toMatch(
      /^Cannot use the answer of .*: its status is 502 .* The monitor goes on with the next answer\.\n$/,
    )
    expect(await monitor([totals(0, 0), 403], 1)).toMatchObject({ code: 1, out: "" })
  })

  test.each([
    [22, 24],
    [10, 12],
    [1, 24],
    [60, 5],
    [60, 2],
    [60, 1],
  ])("fits a terminal of %i columns and %i rows", async (columns, rows) => {
    const keys = [{ key: "用".repeat(90), count: 5, error: 0 }]
    const told = { most_denied: keys, most_allowed: keys, failures: 9 }
    const { out } = await monitor([totals(0, 0), totals(1, 1e15, told)], 1, { columns, rows })
    const lines = out.split("\n")
    expect(lines.length).toBeLessThanOrEqual(Math.max(2, rows))
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns)
  })

  test.each([
    [24, 0],
    [16, 0],
    [12, 0],
    [11, 0],
    [9, 0],
    [24, 1],
    [14, 1],
    [13, 1],
    [9, 1],
  ])("fits a terminal of 60 columns and %i rows, whatever the keys are, with %i failures", async (rows, failures) => {
    const keys = Array.from({ length: 20 }, (_, at) => ({ key: `用户標識符${at}`.repeat(9), count: 5, error: 0 }))
    const told = { most_denied: keys, most_allowed: keys, failures }
    const { out } = await monitor([totals(0, 0), totals(1, 1e15, told)], 1, { columns: 60, rows })
    const lines = out.split("\n")
    // The last one is where the cursor stands.
    expect(lines.length).toBeLessThanOrEqual(rows)
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(60)
    expect(out.includes("用户")).toBe(rows >= 12 + 2 * failures)
  })
})
