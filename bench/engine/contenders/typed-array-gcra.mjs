// The same without a Map: open addressing over typed arrays, a key known by 64 bits of hash; no bound, no expiry, and
// a growth that moves everything at once.
import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"

const FIRST_CELLS = 1024
const MOST_FULL = 0.75

export function make({ limit, burst, periodMs }) {
  const intervalMs = periodMs / limit
  const capacityMs = burst * intervalMs
  let mask = FIRST_CELLS - 1
  let hashes = new Int32Array(FIRST_CELLS * 2)
  let arrivals = new Float64Array(FIRST_CELLS)
  let size = 0
  let low = 0
  let high = 0

  /** Two multiplicative hashes of 32 bits; `low` is never 0, which marks a free cell. */
  function hash(key) {
    let first = 0x9747b28c
    let second = 0x2c1b3c6d
    for (let index = 0; index < key.length; index++) {
      const code = key.charCodeAt(index)
      first = Math.imul(first ^ code, 0x5bd1e995)
      second = Math.imul(second ^ code, 0x1b873593)
    }
    first ^= first >>> 15
    second ^= second >>> 13
    low = Math.imul(first, 0x85ebca6b) || 1
    high = Math.imul(second ^ (first >>> 7), 0xc2b2ae35)
  }

  /** The cell of `low` and `high`, or the free one where it belongs. */
  function find() {
    let cell = (high ^ (high >>> 16)) & mask
    while (hashes[cell * 2] !== 0 && (hashes[cell * 2] !== low || hashes[cell * 2 + 1] !== high))
      cell = (cell + 1) & mask
    return cell
  }

  function grow() {
    const [oldHashes, oldArrivals] = [hashes, arrivals]
    mask = mask * 2 + 1
    hashes = new Int32Array((mask + 1) * 2)
    arrivals = new Float64Array(mask + 1)
    for (let cell = 0; cell < oldArrivals.length; cell++) {
      low = oldHashes[cell * 2]
      if (low === 0) continue
      high = oldHashes[cell * 2 + 1]
      const to = find()
      hashes[to * 2] = low
      hashes[to * 2 + 1] = high
      arrivals[to] = oldArrivals[cell]
    }
  }

  function check(key) {
    const nowMs = Date.now()
    hash(key)
    let cell = find()
    const isNew = hashes[cell * 2] === 0
    const base = isNew ? nowMs : Math.max(arrivals[cell], nowMs)
    const next = base + intervalMs
    const overMs = next - nowMs - capacityMs
    if (overMs > 0) return { allowed: false, remaining: 0, retryAfterMs: Math.ceil(overMs) }
    if (isNew) {
      if (size >= MOST_FULL * (mask + 1)) {
        const [ownLow, ownHigh] = [low, high]
        grow()
        low = ownLow
        high = ownHigh
        cell = find()
      }
      hashes[cell * 2] = low
      hashes[cell * 2 + 1] = high
      size++
    }
    arrivals[cell] = next
    return { allowed: true, remaining: Math.floor((capacityMs - (next - nowMs)) / intervalMs), retryAfterMs: 0 }
  }

  return {
    run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const decision = check(keyAt(position))
        kept.answer = decision
        if (decision.allowed) admitted++
      }
      return admitted
    },
    size: () => size,
  }
}
