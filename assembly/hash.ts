import { allocate, free } from "./heap"

/*
 * A keyed 64-bit hash of a key's bytes, its identity in a table.
 *
 * Two passes of NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, 1999) over 16-byte blocks, the second with the
 * keys shifted by four words (the Toeplitz construction), so that for every pair of keys that was chosen without
 * knowing the seed each pass collides with probability 2⁻³². Both are folded into one word and finalised with the
 * avalanche of MurmurHash3. The key words are derived from a random seed; nobody outside can aim at a bucket or
 * at another key's cell.
 *
 *   schedule   512 bytes of key + 16 for the second pass, two 64-bit odd multipliers, the seed, how many limits hold it
 *
 * Limits of one seed hold the same schedule: ten thousand limits of a store need it once.
 */
export const MAX_KEY_BYTES: usize = 512
const BLOCK: usize = 16
const MULTIPLIERS: usize = MAX_KEY_BYTES + BLOCK
const SEED: usize = MULTIPLIERS + 16
const HOLDERS: usize = SEED + 16
const SCHEDULE_BYTES: usize = HOLDERS + 4

/** 16 bytes of ones before 16 of zeros: loaded at 16 − n it masks the last n bytes of a block. */
const tailMask = memory.data<u8>(
  [
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0,
  ],
  16,
)

/** SplitMix64 (Steele, Lea, Flood 2014): one step of the generator that fills the schedule. */
function splitMix(state: u64): u64 {
  let z = state
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb
  return z ^ (z >> 31)
}

/** The schedule that was made last, for the next limit with its seed; 0 where nobody holds it any more. */
let lastSchedule: usize = 0

/** The schedule of a 128-bit seed, to be given back; 0 without memory. */
export function takeSchedule(seedLow: u64, seedHigh: u64): usize {
  const last = lastSchedule
  if (last != 0 && load<u64>(last, SEED) == seedLow && load<u64>(last, SEED + 8) == seedHigh) return shareSchedule(last)
  const schedule = allocate(SCHEDULE_BYTES)
  if (schedule == 0) return 0
  let counter = seedLow
  const step = seedHigh | 1
  for (let offset: usize = 0; offset < SEED; offset += 8) {
    counter += step
    store<u64>(schedule + offset, splitMix(splitMix(counter) ^ seedHigh))
  }
  store<u64>(schedule, load<u64>(schedule, MULTIPLIERS) | 1, MULTIPLIERS)
  store<u64>(schedule, load<u64>(schedule, MULTIPLIERS + 8) | 1, MULTIPLIERS + 8)
  store<u64>(schedule, seedLow, SEED)
  store<u64>(schedule, seedHigh, SEED + 8)
  lastSchedule = schedule
  return shareSchedule(schedule)
}

/** The same schedule for one limit more. */
export function shareSchedule(schedule: usize): usize {
  store<u32>(schedule, load<u32>(schedule, HOLDERS) + 1, HOLDERS)
  return schedule
}

export function giveSchedule(schedule: usize): void {
  const holders = load<u32>(schedule, HOLDERS) - 1
  store<u32>(schedule, holders, HOLDERS)
  if (holders > 0) return
  if (schedule == lastSchedule) lastSchedule = 0
  free(schedule, SCHEDULE_BYTES)
}

/** The hash of `length` bytes at `bytes`, 1 … 512; never 0. Reads up to 15 bytes past the end, and ignores them. */
export function hashKey(schedule: usize, bytes: usize, length: usize): u64 {
  let first = i64x2.splat(0)
  let second = i64x2.splat(0)
  let offset: usize = 0
  while (offset < length) {
    let block = v128.load(bytes + offset)
    const left = length - offset
    if (left < BLOCK) block = v128.and(block, v128.load(tailMask + BLOCK - left))
    const a = i32x4.add(block, v128.load(schedule + offset))
    const b = i32x4.add(block, v128.load(schedule + offset + BLOCK))
    first = i64x2.add(
      first,
      i64x2.extmul_low_i32x4_u(a, i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)),
    )
    second = i64x2.add(
      second,
      i64x2.extmul_low_i32x4_u(b, i8x16.shuffle(b, b, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)),
    )
    offset += BLOCK
  }
  const sumFirst = <u64>i64x2.extract_lane(first, 0) + <u64>i64x2.extract_lane(first, 1)
  const sumSecond = <u64>i64x2.extract_lane(second, 0) + <u64>i64x2.extract_lane(second, 1)
  let h = (sumFirst + <u64>length) * load<u64>(schedule + MULTIPLIERS)
  h = (h ^ (h >> 32)) + sumSecond * load<u64>(schedule + MULTIPLIERS, 8)
  h ^= h >> 33
  h *= 0xff51afd7ed558ccd
  h ^= h >> 33
  h *= 0xc4ceb9fe1a85ec53
  h ^= h >> 33
  return h == 0 ? 1 : h
}
