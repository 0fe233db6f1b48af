import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type OpenLimiterOptions, openLimiter } from "sluice/embedded"
import { ManualClock } from "../../src/types/clock.js"
import { START_MS } from "../conformance/limiter-case.js"
import { temporaryFolder } from "./temporary-folder.js"

export const LOG_FILE = "sluice.db"
export const WAL_FILE = "sluice.db-wal"
export const WITNESS_FILE = "sluice.end"
const KEYS = ["a", "b", "c"]

type Limiter = Awaited<ReturnType<typeof openLimiter>>

/** Opens a store at the end of its life, with the options of all these tests. */
export function open(path: string, options: Partial<OpenLimiterOptions> = {}): Promise<Limiter> {
  return openLimiter({ path, clock: new ManualClock(START_MS + 1_000), historySegments: 2, ...options })
}

/** What a store tells of its keys: a line. */
export async function seen(limiter: Limiter): Promise<string> {
  const limits = (await limiter.limits()).map(({ name, policy }) => `${name} ${policy.canonical}`)
  const keys = await Promise.all(
    KEYS.map(async (key) => {
      if (limits.length === 0) return key
      const { remaining, blockedForMs } = await limiter.status(key)
      const { totalAllowed, totalDenied } = await limiter.stats(key)
      return `${key} ${remaining} ${blockedForMs} ${totalAllowed} ${totalDenied}`
    }),
  )
  return [...limits, ...keys].join("; ")
}

/**
 * A small life: definitions, charges, denials, a block, a compaction and more after it. `acknowledged` hears what was.
 */
export async function live(limiter: Limiter, acknowledged: (state: string) => void = () => {}): Promise<void> {
  const told = async () => acknowledged(await seen(limiter))
  await limiter.define("default", "9/hour")
  await told()
  for (const key of KEYS) {
    await limiter.check(key, { cost: 2 })
    await told()
  }
  await limiter.compact()
  await told()
  await limiter.check("a", { cost: 3, id: "call-1" })
  await told()
  await limiter.block("b", "1h")
  await told()
  await limiter.checkAll([{ key: "a" }, { key: "c" }])
  await told()
  await limiter.verify()
  await limiter.check("c", { cost: 9 })
  await limiter.check("c")
  await told()
}

/** The files of a store, as they lie on the disk now. */
export type Files = ReadonlyMap<string, Uint8Array>

export function readFiles(path: string): Files {
  const names = readdirSync(path).filter((name) => name.startsWith("sluice."))
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]))
}

/** Another folder with some files: a store as it lay on the disk. */
export function layOut(files: Files): string {
  const path = temporaryFolder()
  mkdirSync(path)
  for (const [name, bytes] of files) writeFileSync(join(path, name), bytes)
  return path
}

/** The files with another one in place of one, or without it. */
export function withFile(files: Files, name: string, bytes: Uint8Array | null): Files {
  const changed = new Map(files)
  if (bytes === null) changed.delete(name)
  else changed.set(name, bytes)
  return changed
}

/** What becomes of opening some files: the state that was found, or the error. The folder is removed. */
export async function outcomeOf(files: Files): Promise<{ state: string } | { error: unknown }> {
  const path = layOut(files)
  try {
    const limiter = await open(path)
    try {
      return { state: await seen(limiter) }
    } finally {
      await limiter.close()
    }
  } catch (error) {
    return { error }
  } finally {
    rmSync(path, { recursive: true })
  }
}
