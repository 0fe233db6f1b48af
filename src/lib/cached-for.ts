import { withTimeout } from "./with-timeout.js"

/** How long a value is waited for that another request makes. That request may be gone, and what it made with it. */
const PATIENCE_MS = 2_000

/**
 * Makes a value, and gives it to all who ask within a time. Who asks while it is made waits for it, and takes it
 * however long it took to make. What failed is not kept.
 *
 * @param keepMs how old a value may be for those who ask later, as counted from before it was made; 0: it is made each
 *   time
 */
export function cachedFor<T>(make: () => Promise<T>, keepMs: number, clock: { now(): number }): () => Promise<T> {
  let last: { readonly value: T; readonly madeAtMs: number } | null = null
  let making: Promise<T> | null = null

  async function makeNow(): Promise<T> {
    const madeAtMs = clock.now()
    const own = make()
    making = own
    try {
      const value = await own
      last = { value, madeAtMs }
      return value
    } finally {
      if (making === own) making = null
    }
  }

  return async function cachedOrMade() {
    if (keepMs === 0) return make()
    for (;;) {
      const ageMs = last === null ? Number.POSITIVE_INFINITY : clock.now() - last.madeAtMs
      if (ageMs >= 0 && ageMs < keepMs) return last!.value
      if (making === null) return makeNow()
      const awaited = making
      const made = await madeInTime(awaited)
      if (made !== null) return made.value
      if (making === awaited) making = null
    }
  }
}

/** `null` where making failed, or takes too long. */
function madeInTime<T>(making: Promise<T>): Promise<{ readonly value: T } | null> {
  const made = making.then(
    (value) => ({ value }),
    () => null,
  )
  return withTimeout(made, PATIENCE_MS, () => null)
}
