/**
 * Waits, but no longer than somebody does: a client, say.
 *
 * @param delayMs 0 … 2^31 − 1; timers of the platforms overflow beyond
 */
export function hold(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const release = () => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", release)
      resolve()
    }
    const timer = setTimeout(release, delayMs)
    signal?.addEventListener("abort", release)
  })
}
