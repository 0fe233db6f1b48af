import { allocate, free } from "../heap"
import { Rule } from "../rule"
import { MAX_USED_UNITS, TIME_BITS, TIME_MASK, clear, sinceMs } from "../state"

/*
 * The charges of the last W ms, exactly: a ring of (time, running total), so that the units of any span are one
 * subtraction and every question is a binary search.
 *
 *   state +0  │ shift 32-47 │ sinceMs: the newest charge     │
 *         +8  │ shift 0-31          │ ring (pointer, 0: none) │
 *
 *   ring  +0  │ capacity u32 │ head u32 │ length u32 │ 0 │ total before the head i64 │ 0 i64 │
 *         +32 │ time i64 │ running total i64 │ …            a charge's time is `time − shift`
 *
 * The shift moves all times at once when a clock that had jumped ahead comes back.
 */
const HEADER: usize = 32
const ENTRY_SHIFT: usize = 4
const FIRST_CAPACITY: u32 = 4
const MAX_SHIFT_MS: i64 = 1 << 46

function ringOf(state: usize): usize {
  return <usize>load<u32>(state, 8)
}

function shiftOf(state: usize): i64 {
  return <i64>(((load<u64>(state) >> TIME_BITS) << 32) | <u64>load<u32>(state, 12))
}

function write(state: usize, newestMs: i64, shiftMs: i64, ring: usize): void {
  store<u64>(state, (<u64>newestMs & TIME_MASK) | ((<u64>shiftMs >> 32) << TIME_BITS))
  store<u32>(state, <u32>ring, 8)
  store<u32>(state, <u32>shiftMs, 12)
}

function ringBytes(capacity: u32): usize {
  return HEADER + ((<usize>capacity) << ENTRY_SHIFT)
}

// @ts-ignore: decorator
@inline
function capacityOf(ring: usize): u32 {
  return load<u32>(ring)
}
// @ts-ignore: decorator
@inline
function headOf(ring: usize): u32 {
  return load<u32>(ring, 4)
}
// @ts-ignore: decorator
@inline
function lengthOf(ring: usize): u32 {
  return load<u32>(ring, 8)
}
// @ts-ignore: decorator
@inline
function baseOf(ring: usize): i64 {
  return load<i64>(ring, 16)
}

/** The entry that is `index` after the oldest. Capacities are powers of two. */
// @ts-ignore: decorator
@inline
function entryAt(ring: usize, index: u32): usize {
  return ring + HEADER + ((<usize>((headOf(ring) + index) & (capacityOf(ring) - 1))) << ENTRY_SHIFT)
}
// @ts-ignore: decorator
@inline
function timeAt(ring: usize, index: u32): i64 {
  return load<i64>(entryAt(ring, index))
}
// @ts-ignore: decorator
@inline
function totalAt(ring: usize, index: u32): i64 {
  return load<i64>(entryAt(ring, index), 8)
}

/** The running total before the entry `index`. */
function totalBefore(ring: usize, index: u32): i64 {
  return index == 0 ? baseOf(ring) : totalAt(ring, index - 1)
}

/** The first entry whose time is above `time`; the length where there is none. */
function firstAfter(ring: usize, time: i64): u32 {
  let low: u32 = 0
  let high = lengthOf(ring)
  while (low < high) {
    const middle = (low + high) >> 1
    if (timeAt(ring, middle) > time) high = middle
    else low = middle + 1
  }
  return low
}

/** The first entry whose running total reaches `total`. */
function firstReaching(ring: usize, total: i64): u32 {
  let low: u32 = 0
  let high = lengthOf(ring) - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (totalAt(ring, middle) >= total) high = middle
    else low = middle + 1
  }
  return low
}

/** The window (now − W, now] of a state: its first entry, the total before it and the units in it. */
let firstIndex: u32 = 0
let totalBase: i64 = 0
let usedUnits: i64 = 0

function look(rule: Rule, state: usize, nowMs: i64): void {
  const ring = ringOf(state)
  usedUnits = 0
  firstIndex = 0
  if (ring == 0 || lengthOf(ring) == 0 || nowMs - sinceMs(state) >= rule.periodMs) return
  firstIndex = firstAfter(ring, nowMs - rule.periodMs + shiftOf(state))
  totalBase = totalBefore(ring, firstIndex)
  usedUnits = totalAt(ring, lengthOf(ring) - 1) - totalBase
}

/** Time from `now` until the entry `index` leaves the window. */
function leavesIn(rule: Rule, state: usize, nowMs: i64, index: u32): i64 {
  return timeAt(ringOf(state), index) - shiftOf(state) + rule.periodMs - nowMs
}

/** A ring without entries, or 0. */
function newRing(capacity: u32): usize {
  const ring = allocate(ringBytes(capacity))
  if (ring != 0) store<u32>(ring, capacity)
  return ring
}

/** A ring of another capacity with the same entries; without memory the ring as it is. */
function resize(ring: usize, capacity: u32): usize {
  const moved = newRing(capacity)
  if (moved == 0) return ring
  const length = lengthOf(ring)
  store<u32>(moved, length, 8)
  store<i64>(moved, baseOf(ring), 16)
  for (let index: u32 = 0; index < length; index++) {
    const from = entryAt(ring, index)
    const to = moved + HEADER + ((<usize>index) << ENTRY_SHIFT)
    store<i64>(to, load<i64>(from))
    store<i64>(to, load<i64>(from, 8), 8)
  }
  free(ring, ringBytes(capacityOf(ring)))
  return moved
}

export function mostAheadMs(rule: Rule): i64 {
  return rule.periodMs
}

export function wait(rule: Rule, state: usize, nowMs: i64, cost: i64): i64 {
  look(rule, state, nowMs)
  const missing = usedUnits + cost - rule.capacity
  if (missing <= 0) return 0
  return leavesIn(rule, state, nowMs, firstReaching(ringOf(state), totalBase + missing))
}

/** Has a ring with a place for one more entry. */
export function reserve(rule: Rule, state: usize, nowMs: i64): bool {
  const ring = ringOf(state)
  let roomy: usize
  if (ring == 0) {
    roomy = newRing(FIRST_CAPACITY)
    if (roomy == 0) return false
  } else {
    if (lengthOf(ring) < capacityOf(ring)) return true
    // What has left the window makes room.
    look(rule, state, nowMs)
    if (usedUnits == 0 || firstIndex > 0) return true
    roomy = resize(ring, capacityOf(ring) << 1)
    if (roomy == ring) return false
  }
  store<u32>(state, <u32>roomy, 8)
  return true
}

/** Follows a `reserve` that found a place. */
export function charge(rule: Rule, state: usize, nowMs: i64, units: i64): void {
  look(rule, state, nowMs)
  const added = min(units, MAX_USED_UNITS - usedUnits)
  if (added == 0) return
  let ring = ringOf(state)
  let shiftMs = shiftOf(state)
  if (usedUnits == 0) {
    // Every entry has left the window.
    store<u32>(ring, 0, 4)
    store<u32>(ring, 0, 8)
    store<i64>(ring, 0, 16)
    shiftMs = 0
    if (capacityOf(ring) > FIRST_CAPACITY) ring = resize(ring, FIRST_CAPACITY)
  } else {
    // What has left the window goes; a ring that is mostly empty shrinks.
    store<i64>(ring, totalBase, 16)
    store<u32>(ring, (headOf(ring) + firstIndex) & (capacityOf(ring) - 1), 4)
    store<u32>(ring, lengthOf(ring) - firstIndex, 8)
    if (shiftMs >= MAX_SHIFT_MS) {
      for (let index: u32 = 0; index < lengthOf(ring); index++) {
        const entry = entryAt(ring, index)
        store<i64>(entry, load<i64>(entry) - shiftMs)
      }
      shiftMs = 0
    }
    if (capacityOf(ring) > FIRST_CAPACITY && lengthOf(ring) <= capacityOf(ring) >> 3) {
      ring = resize(ring, capacityOf(ring) >> 1)
    }
  }
  const length = lengthOf(ring)
  const total = totalBefore(ring, length) + added
  if (length > 0 && timeAt(ring, length - 1) == nowMs + shiftMs) {
    store<i64>(entryAt(ring, length - 1), total, 8)
  } else {
    store<u32>(ring, length + 1, 8)
    const entry = entryAt(ring, length)
    store<i64>(entry, nowMs + shiftMs)
    store<i64>(entry, total, 8)
  }
  write(state, nowMs, shiftMs, ring)
}

export function remaining(rule: Rule, state: usize, nowMs: i64): i64 {
  look(rule, state, nowMs)
  return max<i64>(0, rule.capacity - usedUnits)
}

export function reset(rule: Rule, state: usize, nowMs: i64): i64 {
  look(rule, state, nowMs)
  if (usedUnits == 0) return 0
  return leavesIn(rule, state, nowMs, firstReaching(ringOf(state), totalBase + usedUnits))
}

export function used(rule: Rule, state: usize, nowMs: i64): i64 {
  look(rule, state, nowMs)
  return usedUnits
}

/** Gives back to the charge of that millisecond, while it is in the window. Costs the entries after it. */
export function refund(rule: Rule, state: usize, nowMs: i64, chargedAtMs: i64, units: i64): void {
  look(rule, state, nowMs)
  if (usedUnits == 0) return
  const ring = ringOf(state)
  const time = chargedAtMs + shiftOf(state)
  const index = firstAfter(ring, time - 1)
  if (index < firstIndex || index >= lengthOf(ring) || timeAt(ring, index) != time) return
  const give = min(units, totalAt(ring, index) - totalBefore(ring, index))
  for (let later = index; later < lengthOf(ring); later++) {
    store<i64>(entryAt(ring, later), totalAt(ring, later) - give, 8)
  }
}

/** Shifts every charge by as much as the newest one moves. */
export function heal(rule: Rule, state: usize, nowMs: i64): void {
  write(state, nowMs, shiftOf(state) + sinceMs(state) - nowMs, ringOf(state))
}

/** Frees the ring and clears the state. */
export function release(state: usize): void {
  const ring = ringOf(state)
  if (ring) free(ring, ringBytes(capacityOf(ring)))
  clear(state)
}

/** Bytes of a state outside its cell: the ring's entries and the total before them. */
export function outsideBytes(state: usize): usize {
  const ring = ringOf(state)
  return ring == 0 || lengthOf(ring) == 0 ? 0 : 8 + ((<usize>lengthOf(ring)) << ENTRY_SHIFT)
}

/** Writes the ring's base and entries to `output`. */
export function saveOutside(state: usize, output: usize): void {
  const ring = ringOf(state)
  if (outsideBytes(state) == 0) return
  store<i64>(output, baseOf(ring))
  for (let index: u32 = 0; index < lengthOf(ring); index++) {
    const entry = entryAt(ring, index)
    const to = output + 8 + ((<usize>index) << ENTRY_SHIFT)
    store<i64>(to, load<i64>(entry))
    store<i64>(to, load<i64>(entry, 8), 8)
  }
}

/** Rebuilds the ring from what `saveOutside` wrote. False where the entries cannot be a ring's, or without memory. */
export function loadOutside(state: usize, input: usize, bytes: usize): bool {
  const length: u32 = bytes < 8 ? 0 : <u32>((bytes - 8) >> ENTRY_SHIFT)
  if (length == 0) {
    store<u32>(state, 0, 8)
    return bytes == 0
  }
  if (bytes != 8 + ((<usize>length) << ENTRY_SHIFT)) return false
  let capacity: u32 = FIRST_CAPACITY
  while (capacity < length) capacity <<= 1
  const ring = newRing(capacity)
  if (ring == 0) return false
  store<u32>(ring, length, 8)
  store<i64>(ring, load<i64>(input), 16)
  memory.copy(ring + HEADER, input + 8, (<usize>length) << ENTRY_SHIFT)
  store<u32>(state, <u32>ring, 8)
  return true
}
