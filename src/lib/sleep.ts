/**
 * Waits for a time, or until a signal is aborted: it resolves either way, so whoever must know asks the signal.
 *
 * @param ms 0 … 2^31 − 1; set for longer, the platforms' timers fire at once
 * @param signal of whoever the wait is for: of a client that may have gone meanwhile, say
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener("abort", end)
  })
}
