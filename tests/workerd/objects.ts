import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"
import { EdgeLimiter, type EdgeLimiterOptions } from "../../worker/sluice-worker.js"
import { START_MS } from "../start-ms.js"
import { setClock } from "./clocked-limiter-object.js"
import type { ClockedLimiterObject, LimiterObject, RegistryObject } from "./main.js"

export { START_MS }

let made = 0

/** A name that no other limiter of these tests has. */
export function freshName(): string {
  return `limiter ${++made}`
}

/**
 * A limiter under a manual clock, with the object of its key `"a"`. It asks that object each time, if not told else.
 */
export function clockedLimiter(
  policy: PolicyInput,
  options: EdgeLimiterOptions = {},
): {
  readonly clock: ManualClock
  readonly limiter: EdgeLimiter
  readonly name: string
  /** A new stub: one that saw an error is dead. */
  object(): DurableObjectStub<ClockedLimiterObject>
} {
  const name = freshName()
  const clock = new ManualClock(START_MS)
  setClock(name, clock)
  const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { denialCache: false, ...options, name })
  return { clock, limiter, name, object: () => env.CLOCKED_LIMITER.getByName(`${name}\na`) }
}

/** A limiter under the machine's clock, with the object of its key `"a"`. */
export function realLimiter(
  policy: PolicyInput,
  options: EdgeLimiterOptions = {},
): {
  readonly limiter: EdgeLimiter
  object(): DurableObjectStub<LimiterObject>
} {
  const name = freshName()
  const limiter = new EdgeLimiter(env.LIMITER, policy, { denialCache: false, ...options, name })
  return { limiter, object: () => env.LIMITER.getByName(`${name}\na`) }
}

/** A limiter whose log grows by about a kilobyte with each check, since each comes with another long policy. */
export function longPolicies() {
  const { limiter, name, object } = clockedLimiter(longPolicy(0))
  let changes = 0
  const changePolicy = async () => {
    changes += 1
    await new EdgeLimiter(env.CLOCKED_LIMITER, longPolicy(changes), { name }).check("a")
  }
  return { changePolicy, limiter, object }
}

function longPolicy(version: number): PolicyInput {
  const rules = Array.from({ length: 8 }, (_, rule) => ({ limit: 1_000, period: `${rule + 1}d` }))
  return rules.map((rule, index) => ({ ...rule, name: `${"long ".repeat(10)}${index} v${version}` }))
}

export function canonical(policy: PolicyInput): string {
  return parsePolicy(policy).canonical
}

/** The subject, without its key, that a limiter of one policy sends with its checks. */
export function subjectTextOf(policy: PolicyInput): string {
  return JSON.stringify({ policy: canonical(policy) })
}

/** A row of an object's log. */
export interface Row {
  readonly id: number
  readonly body: Uint8Array
}

/** All rows of an object's log; `null` where it has no log. */
export function rowsOf(stub: DurableObjectStub<LimiterObject>): Promise<Row[] | null> {
  return runInDurableObject(stub, (_object, { storage }) => readRows(storage))
}

export function readRows({ sql }: DurableObjectStorage): Row[] | null {
  if (sql.exec("SELECT name FROM sqlite_master WHERE name = 'sluice_log'").toArray().length === 0) return null
  const rows = sql.exec<{ id: number; body: ArrayBuffer }>("SELECT id, body FROM sluice_log ORDER BY id").toArray()
  return rows.map(({ id, body }) => ({ id, body: new Uint8Array(body) }))
}

/** What an object keeps on disk. */
export function stored(stub: DurableObjectStub<LimiterObject | RegistryObject>) {
  return runInDurableObject(stub, async (_object, { storage }) => ({
    tables: storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    alarm: await storage.getAlarm(),
  }))
}

export const NOTHING_STORED = { tables: [], alarm: null }

/** Puts these rows in place of an object's log, and takes the object out of memory. */
export async function replaceRows(stub: DurableObjectStub<LimiterObject>, rows: readonly Row[]): Promise<void> {
  await runInDurableObject(stub, (_object, { storage }) => writeRows(storage, rows))
  await evictDurableObject(stub)
}

export function writeRows({ sql }: DurableObjectStorage, rows: readonly Row[]): void {
  sql.exec("DELETE FROM sluice_log")
  for (const { id, body } of rows) sql.exec("INSERT INTO sluice_log (id, body) VALUES (?, ?)", id, body)
}
