import { waitUntil } from "cloudflare:workers"
import { withDeadline } from "../../src/http/with-deadline.js"
import { BoundedMap } from "../../src/lib/bounded-map.js"
import { shardOf } from "../object-name.js"
import { LIMIT_SHARDS, type Registry } from "./registry.js"
import { FORGOTTEN_MS } from "./registry-keys.js"
import type { DirectoryEntry } from "./registry-limits.js"

/** What was read, and when. */
interface Reading {
  readonly readAtMs: number
  /** When it was last begun to be read anew, beside the checks that go on with what is known. */
  begunAtMs?: number
  /** When reading it anew failed last. */
  failedAtMs?: number
}

interface Shard extends Reading {
  /** By name; `null` where the shard has too many to be told at once. */
  readonly entries: Map<string, DirectoryEntry> | null
}

interface Single extends Reading {
  readonly entry: DirectoryEntry | null
}

/** How long a shard is believed before it is read anew, beside the checks that go on with what is known. */
const FRESH_MS = 5_000
/** What is older is not believed: the check waits for what is read anew. */
const STALE_MS = 30_000
/** How long it waits. A shard that does not answer by then counts as one that cannot be read. */
const PATIENCE_MS = 2_000
/**
 * How old what is known may be where it cannot be read anew. For twice as long the registry remembers that a limit was
 * removed, so that it drops what is told of its keys meanwhile.
 */
const OUTAGE_MS = FORGOTTEN_MS / 2
const MAX_SINGLE = 10_000

/**
 * What an isolate knows of the configured limits. The first look at a shard waits for it, and so does one after 30 s in
 * which nobody asked; others are answered from memory, and what changed elsewhere is known here some seconds later.
 * While a shard does not answer, what was known of it is in force for up to half an hour: that is mostly right, and a
 * check that fails never is.
 */
export class LimitDirectory {
  readonly #registry: Registry
  readonly #shards = new Map<number, Shard>()
  /** Of shards that are too large, what was asked for one by one. */
  readonly #single = new BoundedMap<string, Single>(MAX_SINGLE)

  /** Counts what was noted. */
  #changes = 0

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** @throws {StoreUnavailable} where the registry does not answer, and what is known is too old or nothing */
  async find(name: string): Promise<DirectoryEntry | null> {
    const number = shardOf(name, LIMIT_SHARDS)
    const nowMs = Date.now()
    const { entries } = await believed(this.#shards.get(number), nowMs, () => this.#read(number, nowMs))
    if (entries !== null) return entries.get(name) ?? null
    return (await believed(this.#single.get(name), nowMs, () => this.#readSingle(name, nowMs))).entry
  }

  /** Reads anew what is held of a limit: it may have been defined or removed elsewhere. */
  async refresh(name: string): Promise<void> {
    const nowMs = Date.now()
    const { entries } = await inTime(this.#read(shardOf(name, LIMIT_SHARDS), nowMs))
    if (entries === null) await inTime(this.#readSingle(name, nowMs))
  }

  /** Takes what this isolate itself has changed. */
  note(name: string, entry: DirectoryEntry | null): void {
    this.#changes += 1
    const entries = this.#shards.get(shardOf(name, LIMIT_SHARDS))?.entries
    if (entry === null) entries?.delete(name)
    else entries?.set(name, entry)
    this.#keep(name, entry, Date.now())
  }

  async #read(number: number, readAtMs: number): Promise<Shard> {
    const changes = this.#changes
    const told = await this.#registry.limitShard(number).directory()
    // What was read may be older than what this isolate has changed meanwhile.
    if (changes !== this.#changes) return this.#read(number, Date.now())
    const shard = { entries: told && new Map(told.map((entry) => [entry.name, entry])), readAtMs }
    this.#shards.set(number, shard)
    return shard
  }

  async #readSingle(name: string, nowMs: number): Promise<Single> {
    const changes = this.#changes
    const entry = await this.#registry.ofLimit(name).find(name)
    if (changes !== this.#changes) return this.#readSingle(name, Date.now())
    return this.#keep(name, entry, nowMs)
  }

  #keep(name: string, entry: DirectoryEntry | null, readAtMs: number): Single {
    const single = { entry, readAtMs }
    this.#single.set(name, single)
    return single
  }
}

/** What is known, as long as it is to be believed; else what is read anew, or what is known where that fails. */
async function believed<Known extends Reading>(
  known: Known | undefined,
  nowMs: number,
  reading: () => Promise<Known>,
): Promise<Known> {
  const read = () => inTime(reading())
  if (known === undefined) return read()
  const ageMs = agedMs(known.readAtMs, nowMs)
  // Where reading failed just now, the next ones do not wait for that again.
  if (ageMs <= STALE_MS || (ageMs <= OUTAGE_MS && agedMs(known.failedAtMs, nowMs) <= STALE_MS)) {
    if (isDue(known, nowMs)) waitUntil(read().catch((error: unknown) => noteFailure(known, error)))
    return known
  }
  try {
    return await read()
  } catch (error) {
    if (ageMs > OUTAGE_MS) throw error
    noteFailure(known, error)
    return known
  }
}

/** What is read, if it comes in time. What comes later is known to the next who ask. */
function inTime<Known>(reading: Promise<Known>): Promise<Known> {
  waitUntil(reading.catch(() => undefined))
  return withDeadline(reading, PATIENCE_MS)
}

/**
 * Whether something is to be read anew: by one request once in a while. Its promise is not shared with others, which
 * would wait for ever where that request is cut off.
 */
function isDue(known: Reading, nowMs: number): boolean {
  if (agedMs(known.readAtMs, nowMs) <= FRESH_MS || agedMs(known.begunAtMs, nowMs) <= FRESH_MS) return false
  known.begunAtMs = nowMs
  return true
}

function noteFailure(known: Reading, error: unknown): void {
  known.failedAtMs = Date.now()
  console.error("Limits could not be read anew, and are in force as they were known:", error)
}

/** How long something was ago. Of what lies ahead, since the clock was set back, nobody knows: then it is too long. */
function agedMs(atMs: number | undefined, nowMs: number): number {
  return atMs !== undefined && nowMs >= atMs ? nowMs - atMs : Number.POSITIVE_INFINITY
}
