import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { expect, test, vi } from "vitest"
import { type KeyReport, MAX_EVENTS_OF_KEY } from "../../worker/api/registry-keys.js"
import { countRows } from "./sql-rows.js"

const SCOPE = "1 api"
const KEY = "a"

type Event = KeyReport["events"][number]

function reportOf(...events: Event[]): KeyReport {
  const counts = { allowed: 0, denied: 0, allowedCost: 0, deniedCost: 0 }
  return { scope: SCOPE, key: KEY, ...counts, lastAllowedAt: null, lastDeniedAt: null, lastResetAt: null, events }
}

/** Admissions and denials in turn, so that none is merged with another; the last is a denial. */
function eventsInTurn(count: number): Event[] {
  return Array.from({ length: count }, (_, at) => {
    return { atMs: at, event: (count - at) % 2 === 0 ? "admit" : "deny", units: 1, count: 1 }
  })
}

const denial = (atMs: number): Event => ({ atMs, event: "deny", units: 1, count: 1 })
const admission = (atMs: number): Event => ({ atMs, event: "admit", units: 1, count: 1 })

test("history() keeps a key's last events, and as many where a denial went on over the edge of a report", async () => {
  const registry = env.REGISTRY.getByName("history")
  await registry.report([reportOf(...eventsInTurn(MAX_EVENTS_OF_KEY))])
  await registry.report([reportOf(denial(1_000))])
  const merged = await registry.history(SCOPE, KEY, 1_000)
  expect(merged).toHaveLength(MAX_EVENTS_OF_KEY)
  expect(merged[0]).toEqual({ ...denial(1_000), count: 2 })
  await registry.report([reportOf(denial(2_000), admission(3_000))])
  const later = await registry.history(SCOPE, KEY, 1_000)
  expect(later).toHaveLength(MAX_EVENTS_OF_KEY)
  expect(later.slice(0, 2)).toEqual([admission(3_000), { ...denial(2_000), count: 3 }])
})

test("report() writes a row for the key and one for each new event, also where the oldest one goes", async () => {
  const registry = env.REGISTRY.getByName("rows of events")
  await registry.report([reportOf(...eventsInTurn(MAX_EVENTS_OF_KEY))])
  const rows = await countRows(registry)
  const latest = Array.from({ length: 20 }, (_, at) => admission(1_000 + at))
  await registry.report([reportOf(...latest)])
  expect(rows().written).toBe(21)
  const events = await registry.history(SCOPE, KEY, 1_000)
  const left = eventsInTurn(MAX_EVENTS_OF_KEY).slice(20)
  expect(events).toEqual([...left, ...latest].reverse())
})

test("history() tells the newest event first, and of denials the last, also where another isolate tells of earlier ones later", async () => {
  const registry = env.REGISTRY.getByName("late events")
  await registry.report([reportOf(denial(2_000))])
  await registry.report([reportOf(denial(1_000), admission(1_500))])
  const events = [{ ...denial(2_000), count: 2 }, admission(1_500)]
  expect(await registry.history(SCOPE, KEY, 10)).toEqual(events)
  expect(await registry.history(SCOPE, KEY, 1)).toEqual(events.slice(0, 1))
})

test("forget() drops what is told of a limit later, and the alarm what is left of that", async () => {
  const registry = env.REGISTRY.getByName("forget")
  const denied = { ...reportOf(denial(1)), denied: 1 }
  await registry.report([denied])
  await registry.forget(SCOPE)
  await registry.report([denied, { ...denied, scope: "2 api", key: "b" }])
  expect(await registry.keys(null, null, 10)).toEqual(["b"])
  expect(await registry.history(SCOPE, KEY, 10)).toEqual([])
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 86_400_000 })
  try {
    expect(await runDurableObjectAlarm(registry)).toBe(true)
  } finally {
    vi.useRealTimers()
  }
  await registry.report([denied])
  expect(await registry.keys(null, null, 10)).toEqual(["a", "b"])
})

test("forget() of a limit of which nothing was told has alarms until that is forgotten too", async () => {
  const registry = env.REGISTRY.getByName("forget alone")
  await registry.forget(SCOPE)
  const hasAlarm = () => runInDurableObject(registry, async (_, { storage }) => (await storage.getAlarm()) !== null)
  expect(await runDurableObjectAlarm(registry)).toBe(true)
  expect(await hasAlarm()).toBe(true)
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_001 })
  try {
    expect(await runDurableObjectAlarm(registry)).toBe(true)
  } finally {
    vi.useRealTimers()
  }
  expect(await hasAlarm()).toBe(false)
})

test("alarms forget a key of which nothing was told for 30 days, with its events", async () => {
  const DAY_MS = 86_400_000
  const registry = env.REGISTRY.getByName("idle keys")
  const told = (key: string) => registry.report([{ ...reportOf(denial(1)), key, denied: 1 }])
  const left = async () => {
    const keys = await registry.keys(SCOPE, null, 10)
    const events = await Promise.all(["a", "b"].map((key) => registry.history(SCOPE, key, 10)))
    return { keys, events: events.map(({ length }) => length) }
  }
  vi.useFakeTimers({ toFake: ["Date"] })
  try {
    await told("a")
    vi.advanceTimersByTime(DAY_MS)
    await told("b")
    vi.advanceTimersByTime(29 * DAY_MS)
    expect(await runDurableObjectAlarm(registry)).toBe(true)
    expect(await left()).toEqual({ keys: ["a", "b"], events: [1, 1] })
    vi.advanceTimersByTime(1)
    expect(await runDurableObjectAlarm(registry)).toBe(true)
    expect(await left()).toEqual({ keys: ["b"], events: [0, 1] })
    vi.advanceTimersByTime(DAY_MS)
    expect(await runDurableObjectAlarm(registry)).toBe(true)
    expect(await left()).toEqual({ keys: [], events: [0, 0] })
    // Where nothing is left there is nothing to come back for.
    expect(await runDurableObjectAlarm(registry)).toBe(false)
  } finally {
    vi.useRealTimers()
  }
})

/** Keys of a scope, each denied once more than the one before. */
function deniedKeys(scope: string, count: number): KeyReport[] {
  return Array.from({ length: count }, (_, index) => ({
    ...reportOf(denial(1)),
    scope,
    key: `key ${String(index).padStart(5, "0")}`,
    denied: index + 1,
  }))
}

test("top() and recent() read all keys once for as many milliseconds as these are", async () => {
  const registry = env.REGISTRY.getByName("top")
  vi.useFakeTimers({ toFake: ["Date"] })
  try {
    await registry.report(deniedKeys(SCOPE, 2_000))
    const rows = await countRows(registry)
    const most = async () => (await registry.top("denied", null, 1))[0]!.stats.totalDenied
    expect(await most()).toBe(2_000)
    expect((await registry.recent(1)).length).toBe(1)
    const { read } = rows()
    await registry.report([{ ...deniedKeys(SCOPE, 2_000)[1_999]!, denied: 1, events: [] }])
    const before = rows().read
    for (let times = 0; times < 100; times++) {
      expect(await most()).toBe(2_000)
      await registry.recent(1)
    }
    expect(rows().read).toBe(before)
    vi.advanceTimersByTime(read)
    expect(await most()).toBe(2_001)
    expect(await registry.top("denied", SCOPE, 1)).toMatchObject([{ key: "key 01999" }])
    await registry.forget(SCOPE)
    expect(await registry.top("denied", null, 1)).toEqual([])
  } finally {
    vi.useRealTimers()
  }
})

test("top() leaves no room to limits that the settings have no more, and no other limit out", async () => {
  const registry = env.REGISTRY.getByName("top of settings")
  const [former, kept] = [deniedKeys("settings former", 9), deniedKeys("settings kept", 3)]
  await registry.report([...former, ...kept, ...deniedKeys(SCOPE, 2)])
  const scopesOf = async (settings?: string[]) => {
    return (await registry.top("denied", null, 5, settings)).map(({ scope }) => scope)
  }
  expect(await scopesOf()).toEqual(Array.from({ length: 5 }, () => "settings former"))
  const many = Array.from({ length: 1_000 }, (_, index) => `settings ${index}`)
  const found = ["settings kept", "settings kept", SCOPE, "settings kept", SCOPE]
  expect((await scopesOf([...many, "settings kept"])).toSorted()).toEqual(found.toSorted())
  expect(await scopesOf([])).toEqual([SCOPE, SCOPE])
})

test("keys() tells a page of several limits in order, and reads little more than the page", async () => {
  const registry = env.REGISTRY.getByName("pages of keys")
  const scopes = ["1 api", "2 api", "login"]
  for (const scope of scopes) await registry.report(deniedKeys(scope, 1_000))
  await registry.report([{ ...reportOf(denial(1)), scope: "login", key: "key 00000\u{1f600}", denied: 1 }])
  const rows = await countRows(registry)
  const first = await registry.keys(null, null, 3)
  expect(first).toEqual(["key 00000", "key 00000\u{1f600}", "key 00001"])
  expect(await registry.keys(null, first.at(-1)!, 2)).toEqual(["key 00002", "key 00003"])
  expect(await registry.keys("1 api", "key 00998", 10)).toEqual(["key 00999"])
  expect(await registry.keys("none", null, 10)).toEqual([])
  expect(rows().read).toBeLessThan(100)
})

test("stats() tells when a key was denied last, also where another isolate tells of an earlier time later", async () => {
  const registry = env.REGISTRY.getByName("late reports")
  const at = (ms: number) => ({ ...reportOf(), allowed: 1, lastAllowedAt: ms, denied: 1, lastDeniedAt: ms })
  await registry.report([at(2_000)])
  await registry.report([at(1_000)])
  await registry.report([{ ...reportOf(), allowed: 1, lastAllowedAt: 3_000 }])
  expect(await registry.stats(SCOPE, KEY)).toMatchObject({
    lastAllowedAt: 3_000,
    lastDeniedAt: 2_000,
    lastResetAt: null,
  })
})

test("top() tells a key under limits where it counts as much in the order of their names, not of their scopes", async () => {
  const registry = env.REGISTRY.getByName("top")
  const scopes = ["1 b", "2 a", "settings c"]
  await registry.report(scopes.map((scope) => ({ ...reportOf(), scope, allowed: 2 })))
  const told = async (count: number) => (await registry.top("allowed", null, count)).map(({ scope }) => scope)
  expect(await told(3)).toEqual(["2 a", "1 b", "settings c"])
  expect(await told(1)).toEqual(["2 a"])
})
