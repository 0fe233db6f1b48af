import { MalformedBytes } from "./byte-reader.js"
import { CHUNK_CHARGES, ChargeChunk } from "./charge-chunk.js"

/**
 * A set of numbers of charges, in chunks of numbers that follow each other, each with the latest time of a charge in
 * it. It takes a bit for each of numbers that lie close together and two bytes or a little more where a chunk has some,
 * and is forgotten by chunks.
 *
 * It can be held as it is, to be told little by little while others are added: then a chunk is copied before it
 * changes.
 */
export class ChargeSet {
  /** In ascending order of their indexes. */
  readonly #chunks: ChargeChunk[] = []
  #bytes = 0
  /** Those that are held and were not told, the first one last. */
  #held: ChargeChunk[] = []

  /** What it takes in memory, but for chunks that are held beside their copies. It follows from what is in it. */
  get bytes(): number {
    return this.#bytes
  }

  /** The chunks in ascending order. */
  get chunks(): readonly ChargeChunk[] {
    return this.#chunks
  }

  has(chargeNumber: number): boolean {
    const index = Math.floor(chargeNumber / CHUNK_CHARGES)
    const chunk = this.#chunks[this.#placeOf(index)]
    return chunk?.index === index && chunk.has(chargeNumber % CHUNK_CHARGES)
  }

  /** Adds a charge that it does not have, of a time. */
  add(chargeNumber: number, chargedAtMs: number): void {
    const chunk = this.#chunkAt(Math.floor(chargeNumber / CHUNK_CHARGES))
    const before = chunk.bytes
    chunk.add(chargeNumber % CHUNK_CHARGES, chargedAtMs)
    this.#bytes += chunk.bytes - before
  }

  /** Adds a chunk. @throws {MalformedBytes} where it does not come after all others */
  append(chunk: ChargeChunk): void {
    const last = this.#chunks.at(-1)
    if (last !== undefined && chunk.index <= last.index) throw new MalformedBytes("chunks of charges go back")
    this.#chunks.push(chunk)
    this.#bytes += chunk.bytes
  }

  /** How many chunks are of a lower index. */
  #placeOf(index: number): number {
    const chunks = this.#chunks
    let from = 0
    let to = chunks.length
    // Most settle soon after their charges.
    if (to > 0 && chunks[to - 1]!.index < index) return to
    while (from < to) {
      const middle = (from + to) >>> 1
      if (chunks[middle]!.index < index) from = middle + 1
      else to = middle
    }
    return from
  }

  /** A chunk that may change. */
  #chunkAt(index: number): ChargeChunk {
    const place = this.#placeOf(index)
    const found = this.#chunks[place]
    if (found?.index !== index) {
      const chunk = new ChargeChunk(index)
      this.#chunks.splice(place, 0, chunk)
      this.#bytes += chunk.bytes
      return chunk
    }
    if (!found.isHeld) return found
    const copy = found.copy()
    this.#chunks[place] = copy
    return copy
  }

  /**
   * Forgets the chunks that have no charge of a time or a later one. Returns the latest time of them; `null` where
   * none.
   */
  forgetBefore(timeMs: number): number | null {
    let latestMs: number | null = null
    let kept = 0
    for (const chunk of this.#chunks) {
      if (chunk.latestMs >= timeMs) {
        this.#chunks[kept++] = chunk
        continue
      }
      latestMs = Math.max(latestMs ?? 0, chunk.latestMs)
      this.#bytes -= chunk.bytes
    }
    this.#chunks.length = kept
    return latestMs
  }

  /**
   * The latest time of the oldest chunks without which it takes no more than so many bytes; `null` where it takes no
   * more.
   */
  latestBeyond(bytes: number): number | null {
    let latestMs: number | null = null
    let left = this.#bytes
    if (left <= bytes) return null
    for (const chunk of this.#chunks.toSorted((one, other) => one.latestMs - other.latestMs)) {
      if (left <= bytes) break
      left -= chunk.bytes
      latestMs = chunk.latestMs
    }
    return latestMs
  }

  /** Holds it as it is, in place of what was held before: `takeHeld` tells it. */
  hold(): void {
    this.#held = this.#chunks.toReversed()
    for (const chunk of this.#held) chunk.isHeld = true
  }

  /** The next chunk as it was held, in ascending order; `undefined` after the last. */
  takeHeld(): ChargeChunk | undefined {
    const chunk = this.#held.pop()
    if (chunk !== undefined) chunk.isHeld = false
    return chunk
  }
}
