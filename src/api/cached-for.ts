import type { Clock } from "../types/clock.js"

/** How long a value is waited for that another request makes. That request may be gone, and what it made with it. */
const PATIENCE_MS = 2_000

/**
 * Makes a value, and gives it to all who ask within a time. Who asks while it is made waits for it. What failed is not
 * kept.
 *
 * @param keepMs how old a value may be; 0: it is made each time
 */
export function cachedFor<T>(make: () => Promise<T>, keepMs: number, clock: Clock): () => Promise<T> {
  let last: { readonly value: T; readonly madeAtMs: number } | null = null
  let making: Promise<unknown> | null = null

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
      const isEnded = await endsInTime(awaited)
      if (!isEnded && making === awaited) making = null
    }
  }
}

function endsInTime(work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MS)
    const end = () => {
      clearTimeout(timer)
      resolve(true)
    }
    work.then(end, end)
  })
}
