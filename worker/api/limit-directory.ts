import { waitUntil } from "cloudflare:workers"
import { shardOf } from "../object-name.js"
import { LIMIT_SHARDS, type Registry } from "./registry.js"
import type { DirectoryEntry } from "./registry-object.js"

interface Shard {
  /** By name; `null` where the shard has too many to be told at once. */
  readonly entries: Map<string, DirectoryEntry> | null
  readonly readAtMs: number
}

/** How long a shard is believed before it is read anew, beside the checks that go on with what is known. */
const FRESH_MS = 5_000
/** What is older is not believed: the check waits for what is read anew. */
const STALE_MS = 30_000
const MOST_SINGLE = 10_000

/**
 * What an isolate knows of the configured limits. The first look at a shard waits for it, and so does one after 30 s in
 * which nobody asked; others are answered from memory, and what changed elsewhere is known here some seconds later.
 */
export class LimitDirectory {
  readonly #registry: Registry
  readonly #shards = new Map<number, Shard>()
  readonly #startedAtMs = new Map<string, number>()
  /** Of shards that are too large, what was asked for one by one. */
  readonly #single = new Map<string, { readonly entry: DirectoryEntry | null; readonly readAtMs: number }>()

  /** Counts what was noted. */
  #changes = 0

  constructor(registry: Registry) {
    this.#registry = registry
  }

  async find(name: string): Promise<DirectoryEntry | null> {
    const number = shardOf(name, LIMIT_SHARDS)
    const nowMs = Date.now()
    let shard = this.#shards.get(number)
    if (shard === undefined || agedMs(shard.readAtMs, nowMs) > STALE_MS) shard = await this.#read(number, nowMs)
    else if (this.#isDue(`shard ${number}`, shard.readAtMs, nowMs)) waitUntil(this.#read(number, nowMs))
    if (shard.entries !== null) return shard.entries.get(name) ?? null
    const known = this.#single.get(name)
    if (known === undefined || agedMs(known.readAtMs, nowMs) > STALE_MS) return this.#readSingle(name, nowMs)
    if (this.#isDue(`limit ${name}`, known.readAtMs, nowMs)) waitUntil(this.#readSingle(name, nowMs))
    return known.entry
  }

  /** Reads anew what is held of a limit: it may have been defined or removed elsewhere. */
  async refresh(name: string): Promise<void> {
    const nowMs = Date.now()
    const { entries } = await this.#read(shardOf(name, LIMIT_SHARDS), nowMs)
    if (entries === null) await this.#readSingle(name, nowMs)
  }

  /** Takes what this isolate itself has changed. */
  note(name: string, entry: DirectoryEntry | null): void {
    this.#changes += 1
    const entries = this.#shards.get(shardOf(name, LIMIT_SHARDS))?.entries
    if (entry === null) entries?.delete(name)
    else entries?.set(name, entry)
    this.#keep(name, entry, Date.now())
  }

  /**
   * Whether something is to be read anew: by one request once in a while. Its promise is not shared with others, which
   * would wait for ever where that request is cut off.
   */
  #isDue(what: string, readAtMs: number, nowMs: number): boolean {
    if (agedMs(readAtMs, nowMs) <= FRESH_MS || agedMs(this.#startedAtMs.get(what) ?? 0, nowMs) <= FRESH_MS) return false
    if (this.#startedAtMs.size >= MOST_SINGLE) this.#startedAtMs.clear()
    this.#startedAtMs.set(what, nowMs)
    return true
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

  async #readSingle(name: string, nowMs: number): Promise<DirectoryEntry | null> {
    const changes = this.#changes
    const entry = await this.#registry.ofLimit(name).find(name)
    if (changes !== this.#changes) return this.#readSingle(name, Date.now())
    this.#keep(name, entry, nowMs)
    return entry
  }

  #keep(name: string, entry: DirectoryEntry | null, readAtMs: number): void {
    if (this.#single.size >= MOST_SINGLE) this.#single.delete(this.#single.keys().next().value!)
    this.#single.set(name, { entry, readAtMs })
  }
}

/** How long something was ago. Of what lies ahead, since the clock was set back, nobody knows: then it is too long. */
function agedMs(atMs: number, nowMs: number): number {
  return nowMs >= atMs ? nowMs - atMs : Number.POSITIVE_INFINITY
}
