/** For each limiter that leaves the counting to another one, that other one. */
const counters = new WeakMap<object, object>()

/** Whom to tell of quota that came back, by the limiter that counts and by the key as it is counted. */
const waits = new WeakMap<object, Map<string, Set<() => void>>>()

/** Notes that a limiter leaves the counting to another one: whoever waits for the first hears of the second. */
export function noteCounter(limiter: object, counter: object): void {
  counters.set(limiter, counter)
}

function counterOf(limiter: object): object {
  const counter = counters.get(limiter)
  return counter === undefined ? limiter : counterOf(counter)
}

/**
 * Notes that somebody waits for a key's quota.
 *
 * @param hear called where quota may have come back before its time
 * @returns what ends that
 */
export function noteWait(limiter: object, key: string, hear: () => void): () => void {
  const counter = counterOf(limiter)
  const keys = waits.get(counter) ?? new Map<string, Set<() => void>>()
  waits.set(counter, keys)
  const hearing = keys.get(key) ?? new Set()
  keys.set(key, hearing)
  hearing.add(hear)
  return () => {
    hearing.delete(hear)
    if (hearing.size === 0) keys.delete(key)
  }
}

/** Tells those who wait for a key, or for any where none is named, that quota may have come back before its time. */
export function tellWaits(limiter: object, key?: string): void {
  const keys = waits.get(counterOf(limiter))
  if (keys === undefined) return
  for (const hearing of key === undefined ? keys.values() : [keys.get(key) ?? []]) for (const hear of hearing) hear()
}
