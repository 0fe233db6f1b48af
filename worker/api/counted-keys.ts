import type { KeyReport } from "./registry-keys.js"

/** Events of one key told in one report, one where it was only denied; its counts are whole however many came. */
const MAX_EVENTS = 20
/** Keys that were admitted or changed and are told next; beyond, what is new counts for its limit alone. */
const MAX_USED = 1_000
/** Keys that were only denied: so many are counted until the next report, and so many are kept beyond it. */
const MAX_DENIED = 10_000
const MAX_KEPT = 1_000

type Told = KeyReport["events"][number]
type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** What was counted of a key and is not told yet. */
export type KeyCounts = Mutable<Omit<KeyReport, "events">> & { events: Mutable<Told>[] }

/**
 * What an isolate counted of keys and has not told yet. Those that were only denied are held apart: anybody can make
 * them, as many and as often as he likes, and each that is told costs rows.
 */
export class CountedKeys {
  #used = new Map<string, KeyCounts>()
  #denied = new Map<string, KeyCounts>()

  get hasDenied(): boolean {
    return this.#denied.size > 0
  }

  /** Holds a key that was denied. @returns its counts; `null` where too many were */
  holdDenied(scope: string, key: string): KeyCounts | null {
    const subject = subjectOf(scope, key)
    const known = this.#used.get(subject) ?? this.#denied.get(subject)
    if (known !== undefined) return known
    if (this.#denied.size >= MAX_DENIED) return null
    const counts = noCounts(scope, key)
    this.#denied.set(subject, counts)
    return counts
  }

  /**
   * Holds a key that was admitted or changed.
   *
   * @returns its counts, with its denials of before; `null` where too many were
   */
  holdUsed(scope: string, key: string): KeyCounts | null {
    const subject = subjectOf(scope, key)
    const known = this.#used.get(subject)
    if (known !== undefined) return known
    if (this.#used.size >= MAX_USED) return null
    const counts = this.#denied.get(subject) ?? noCounts(scope, key)
    this.#denied.delete(subject)
    this.#used.set(subject, counts)
    return counts
  }

  /** Tells a key next, also where it was only denied. */
  hurry(scope: string, key: string): void {
    if (this.#denied.has(subjectOf(scope, key))) this.holdUsed(scope, key)
  }

  takeUsed(): KeyCounts[] {
    const taken = [...this.#used.values()]
    this.#used = new Map()
    return taken
  }

  /** Takes the keys that were denied most. Of the others those that were denied most wait for the next time. */
  takeDenied(most: number): KeyCounts[] {
    const byCount = [...this.#denied].sort(([, a], [, b]) => b.denied - a.denied)
    this.#denied = new Map(byCount.slice(most, most + MAX_KEPT))
    return byCount.slice(0, most).map(([, counts]) => counts)
  }
}

/** The same denial again counts with the one before. */
export function addEvent({ events }: KeyCounts, event: Told): void {
  const last = events.at(-1)
  const isNextDenial = last?.event === "deny" && event.event === "deny"
  if (isNextDenial && last.units === event.units) {
    last.count++
    last.atMs = event.atMs
    return
  }
  // Of a key that was only denied the last denial stays: with costs that change each would be a row.
  if (isNextDenial && events.length === 1) events.pop()
  events.push({ ...event })
  if (events.length > MAX_EVENTS) events.shift()
}

function subjectOf(scope: string, key: string): string {
  // The scope and the key may contain any separator, so the length tells where the one ends.
  return `${scope.length} ${scope}${key}`
}

function noCounts(scope: string, key: string): KeyCounts {
  return {
    scope,
    key,
    allowed: 0,
    denied: 0,
    allowedCost: 0,
    deniedCost: 0,
    lastAllowedAt: null,
    lastDeniedAt: null,
    lastResetAt: null,
    events: [],
  }
}
