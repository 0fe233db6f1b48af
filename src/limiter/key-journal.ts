import { BoundedMap } from "../lib/bounded-map.js"
import type { HistoryEntry } from "./named-limits.js"

/** What a journal keeps of a key. */
interface KeyRecord {
  readonly limit: string
  readonly key: string
  /** Oldest first. */
  readonly events: Event[]
}

/** A history's entry with its number, since several may have the same time. */
interface Event {
  readonly number: number
  readonly entry: HistoryEntry
}

export interface KeyJournalOptions {
  /** The most keys known by name, 0 … 2^24. At the bound, the one that was used least recently is forgotten. */
  readonly names: number
  /** The most events kept for each of them, 0 … 65,536. */
  readonly history: number
}

/**
 * Which keys were used, by name, and what became of each: bounded in both. A limiter's cells hold hashes only, so that
 * a key costs a few dozen bytes; what is to be listed or told later has to be written down here.
 */
export class KeyJournal {
  readonly #names: number
  readonly #history: number
  /** Least recently used first, by limit and key. */
  readonly #records: BoundedMap<string, KeyRecord>
  /** When each limit was defined, for the histories of its keys; oldest first. */
  readonly #defined = new Map<string, Event[]>()
  #number = 0

  constructor({ names, history }: KeyJournalOptions) {
    this.#names = names
    this.#records = new BoundedMap(names)
    this.#history = history
  }

  /** Whether anything is written down at all. */
  get isOn(): boolean {
    return this.#names > 0
  }

  get keepsHistory(): boolean {
    return this.#names > 0 && this.#history > 0
  }

  /**
   * Writes down an event of a key, and that the key was used. Equal denials between which the key has no other event,
   * nor its limit a definition, become one entry.
   */
  note(entry: Omit<HistoryEntry, "count">): void {
    if (this.#names === 0) return
    const { limit, key } = entry
    const place = placeOf(limit, key)
    const record = this.#records.get(place) ?? { limit, key, events: [] }
    this.#records.set(place, record)
    if (this.#history === 0) return
    const last = record.events.at(-1)
    const definedAt = this.#defined.get(limit)?.at(-1)?.number ?? -1
    const repeats = last !== undefined && last.number > definedAt && isSameDenial(entry, last.entry)
    if (repeats) record.events.pop()
    this.#append(record.events, { ...entry, count: repeats ? last.entry.count + 1 : 1 })
  }

  /** Writes down that a limit was defined, or got another policy. */
  noteDefinition(limit: string, atMs: number): void {
    if (!this.keepsHistory) return
    const events = this.#defined.get(limit) ?? []
    this.#defined.set(limit, events)
    this.#append(events, { atMs, event: "define", key: limit, limit, units: 0, count: 1 })
  }

  #append(events: Event[], entry: HistoryEntry): void {
    events.push({ number: this.#number++, entry })
    if (events.length > this.#history) events.shift()
  }

  /** The keys known by name under a limit, or under any, each once for each limit; in no order. */
  keys(limit?: string): { readonly limit: string; readonly key: string }[] {
    return [...this.#records.values()].filter((record) => limit === undefined || record.limit === limit)
  }

  /** The last events of a key, newest first, its limit's definitions among them. */
  history(limit: string, key: string, count: number): HistoryEntry[] {
    const own = this.#records.get(placeOf(limit, key))?.events ?? []
    const defined = this.#defined.get(limit) ?? []
    return [...own, ...defined]
      .sort((a, b) => b.number - a.number)
      .slice(0, Math.min(count, this.#history))
      .map(({ entry }) => ({ ...entry, key }))
  }

  /** Forgets all that was written down about a limit. */
  forget(limit: string): void {
    this.#defined.delete(limit)
    for (const [place, record] of this.#records) if (record.limit === limit) this.#records.delete(place)
  }
}

/** Whether two events of a key, one after the other, are told as one. */
export function isSameDenial(a: Omit<HistoryEntry, "count">, b: Omit<HistoryEntry, "count">): boolean {
  return a.event === "deny" && b.event === "deny" && a.units === b.units
}

/** One text for each limit and key: the length says where the limit's name ends. */
function placeOf(limit: string, key: string): string {
  return `${limit.length}:${limit}${key}`
}
