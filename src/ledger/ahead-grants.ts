import { maximumCost } from "../policy/maximum-cost.js"
import type { LogWriter } from "./log-writer.js"
import type { LedgerLimit } from "./own-limit.js"

const FIRST_UNITS = 64
/** What a key may use at once is at least so many grants, unless they are of one unit. */
const MIN_GRANTS = 10

/** How many units of a key may be told beyond the file. */
interface Grant {
  /** Counts once the write `levelWrite` is made; until then `levelBefore` does. 0 where nothing is granted. */
  level: number
  levelBefore: number
  levelWrite: number
  /** The largest level so far, which a grant starts with when it is needed again. */
  size: number
  /** Units that the write `write` will bring to the file. */
  units: number
  write: number
  /** The same of the write before it that drew on the grant: until that is made, they are not in the file either. */
  unitsBefore: number
  writeBefore: number
  /** How often all grants had been taken back when this one was last looked at. */
  restarts: number
}

const NOT_GRANTED = { level: 0, levelBefore: 0, levelWrite: 0 }

/** What a draw found. */
export type Draw = "covered" | "low" | "uncovered"

type Grants = Map<LedgerLimit, Map<string, Grant>>

/** A key whose grant is to be taken back. */
export type IdleKey = readonly [limit: LedgerLimit, key: string]

/**
 * The units that the log grants ahead of their use. While the units of a key that were told but are not in
 * the file stay within its grant, an answer need not wait: after a crash the whole grant counts as used.
 *
 * So a key has a grant while it is asked again and again, and it is taken back when it is not: whoever is asked now and
 * then, by a process that ends in between, would lose one each time.
 */
export class AheadGrants {
  readonly #writer: LogWriter
  readonly #fixedUnits: number | null
  /**
   * Of the keys of which something was admitted since the last look for idle ones, and of those that were not since.
   */
  #recent: Grants = new Map()
  #older: Grants = new Map()
  #restarts = 0
  #granted = 0

  /** @param units of every grant; `null` to let each grow with its key's use */
  constructor(writer: LogWriter, units: number | null) {
    this.#writer = writer
    this.#fixedUnits = units
  }

  /**
   * Draws the units of an admission whose record was just appended.
   *
   * @param appendGrant asked to append a record of a larger grant, where one is needed
   */
  draw(limit: LedgerLimit, key: string, cost: number, appendGrant: (units: number) => void): Draw {
    const known = this.#find(limit, key)
    const grant = this.#current(known ?? this.#add(limit, key))
    const { made, writeOfNext } = this.#writer
    if (grant.write !== writeOfNext) {
      grant.unitsBefore = grant.units
      grant.writeBefore = grant.write
      grant.units = 0
      grant.write = writeOfNext
    }
    grant.units += cost
    // Perhaps nobody asks for it again.
    if (known === null) return "uncovered"
    const units = made < grant.writeBefore ? grant.units + grant.unitsBefore : grant.units
    const isGranted = made >= grant.levelWrite
    const level = isGranted ? grant.level : grant.levelBefore
    if (units * 2 <= level) return "covered"
    // Half of it went before the records were due to be written: with a larger one they are written less often.
    if (isGranted) this.#raise(grant, limit, appendGrant)
    return units <= level ? "low" : "uncovered"
  }

  #find(limit: LedgerLimit, key: string): Grant | null {
    const recent = this.#recent.get(limit)?.get(key)
    if (recent !== undefined) return recent
    const older = this.#older.get(limit)
    const grant = older?.get(key)
    if (grant === undefined) return null
    older!.delete(key)
    this.#keep(limit, key, grant)
    return grant
  }

  #add(limit: LedgerLimit, key: string): Grant {
    const drawn = { size: 0, units: 0, write: 0, unitsBefore: 0, writeBefore: 0 }
    const grant = { ...NOT_GRANTED, ...drawn, restarts: this.#restarts }
    this.#keep(limit, key, grant)
    return grant
  }

  /** A grant as it is since all were taken back. What was told and is not in the file counts on. */
  #current(grant: Grant): Grant {
    if (grant.restarts !== this.#restarts) Object.assign(grant, NOT_GRANTED, { restarts: this.#restarts })
    return grant
  }

  #keep(limit: LedgerLimit, key: string, grant: Grant): void {
    const grants = this.#recent.get(limit)
    if (grants === undefined) this.#recent.set(limit, new Map([[key, grant]]))
    else grants.set(key, grant)
  }

  #raise(grant: Grant, limit: LedgerLimit, appendGrant: (units: number) => void): void {
    const next = this.#nextLevel(grant, limit)
    if (next <= grant.level) return
    if (grant.level === 0) this.#granted += 1
    grant.levelBefore = grant.level
    grant.level = next
    grant.size = next
    grant.levelWrite = this.#writer.writeOfNext
    appendGrant(next)
  }

  #nextLevel({ level, size }: Grant, limit: LedgerLimit): number {
    if (this.#fixedUnits !== null) return this.#fixedUnits
    return Math.min(this.#largest(limit), level === 0 ? Math.max(size, FIRST_UNITS) : level * 2)
  }

  /** The most units of a grant under the limit's policy. */
  #largest({ policy }: LedgerLimit): number {
    if (this.#fixedUnits !== null) return this.#fixedUnits
    return Math.max(1, Math.floor(maximumCost(policy.rules) / MIN_GRANTS))
  }

  /**
   * Makes the grants of a limit that got another policy as small as that one has them.
   *
   * @param appendGrant asked to append a record of a smaller grant; what was told before is in the file together with
   *   it
   */
  shrink(limit: LedgerLimit, appendGrant: (key: string, units: number) => void): void {
    const largest = this.#largest(limit)
    for (const grants of [this.#recent, this.#older]) {
      for (const [key, grant] of grants.get(limit) ?? []) {
        if (this.#current(grant).level <= largest) continue
        grant.level = largest
        // At once: what is told from here on is not in the file with that record.
        grant.levelBefore = Math.min(grant.levelBefore, largest)
        grant.size = largest
        appendGrant(key, largest)
      }
    }
  }

  /**
   * Forgets keys of which nothing was admitted since the last time that there were no more.
   *
   * @param most how many are looked at
   * @returns those of them that have a grant, which the log is to take back; and whether there are more to look at
   */
  forgetIdle(most: number): { readonly idle: readonly IdleKey[]; readonly hasMore: boolean } {
    const idle: IdleKey[] = []
    let left = most
    for (const [limit, grants] of this.#older) {
      for (const [key, grant] of grants) {
        if (left === 0) return { idle: this.#takenBack(idle), hasMore: true }
        left -= 1
        grants.delete(key)
        if (this.#current(grant).level > 0) idle.push([limit, key])
      }
      this.#older.delete(limit)
    }
    this.#older = this.#recent
    this.#recent = new Map()
    return { idle: this.#takenBack(idle), hasMore: false }
  }

  #takenBack(idle: readonly IdleKey[]): readonly IdleKey[] {
    this.#granted -= idle.length
    return idle
  }

  /** Whether no key is known: then none can become idle. */
  get isEmpty(): boolean {
    return this.#recent.size === 0 && this.#older.size === 0
  }

  /** Whether any key has a grant. */
  get hasGranted(): boolean {
    return this.#granted > 0
  }

  /** Every grant was taken back. */
  restart(): void {
    this.#restarts += 1
    this.#granted = 0
  }
}
