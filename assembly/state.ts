/*
 * A rule's state for one key: 16 bytes, all zero when the quota is full. The low 48 bits of the first word are
 * always `sinceMs`, the time from which the rest counts; what the other 80 bits hold is the algorithm's own.
 *
 *        63        48 47                                   0
 *   +0  │ own (16)   │ sinceMs (48)                         │
 *   +8  │ own (64)                                          │
 */
export const STATE_BYTES: usize = 16
export const TIME_MASK: u64 = 0xffff_ffff_ffff
export const TIME_BITS: u64 = 48

/** Waits end here: 2⁴⁶ ms, about 2,230 years. A longer one is told as this. */
export const MAX_WAIT_MS: i64 = 1 << 46

/** Used units and debts saturate here. */
export const MAX_USED_UNITS: i64 = 0xffff_ffff

// @ts-ignore: decorator
@inline
export function sinceMs(state: usize): i64 {
  return (load<i64>(state) << 16) >> 16
}

export function clear(state: usize): void {
  store<u64>(state, 0)
  store<u64>(state, 0, 8)
}
