/**
 * Waits, but no longer than somebody does: a client, say.
 *
 * @param ms 0 … 2^31 − 1; timers of the platforms overflow beyond
 * @param signal ends the wait where it is aborted
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
