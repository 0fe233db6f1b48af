/** V8 keeps at most 2^24 values in a set, of which deleted ones take up to half. */
const PART_NAMES = 2 ** 23

/**
 * A set of names without a bound of its own: a limit may have more keys than one set of the runtime holds. Told in the
 * order in which they were added; those that are added meanwhile come at the end.
 */
export class NameSet implements Iterable<string> {
  readonly #partNames: number
  /** Names are added to the last of them. */
  readonly #parts: Set<string>[] = [new Set()]

  /** @param partNames how many names one set of the runtime holds */
  constructor(partNames = PART_NAMES) {
    this.#partNames = partNames
  }

  get size(): number {
    return this.#parts.reduce((sum, { size }) => sum + size, 0)
  }

  has(name: string): boolean {
    return this.#parts.some((part) => part.has(name))
  }

  add(name: string): void {
    const last = this.#parts.at(-1)!
    if (this.#parts.length === 1 && last.size < this.#partNames) {
      last.add(name)
      return
    }
    if (this.has(name)) return
    if (last.size < this.#partNames) last.add(name)
    else this.#parts.push(new Set([name]))
  }

  delete(name: string): void {
    for (const part of this.#parts) if (part.delete(name)) return
  }

  *[Symbol.iterator](): Generator<string, undefined> {
    for (const part of this.#parts) yield* part
    return undefined
  }
}
