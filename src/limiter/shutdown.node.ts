import process from "node:process"

/** Signals that ask a process to end, and that it hears. */
export const SHUTDOWN_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"] as const
export type ShutdownSignal = (typeof SHUTDOWN_SIGNALS)[number]

/** What is closed in good order. */
interface Closable {
  flush(): Promise<void>
  close(): Promise<void>
}

/**
 * Closes a limiter in good order when the process is asked to end, and lets it end by that signal. Where the program
 * listens to the signal itself, the limiter is flushed, and the program decides.
 *
 * @returns ends the listening; a limiter does so when it is closed
 */
export function closeOnSignals(limiter: Closable, signals: readonly ShutdownSignal[]): () => void {
  const onSignal = async (signal: NodeJS.Signals): Promise<void> => {
    // What fails was told to whoever waited for it; here nobody does.
    if (process.listenerCount(signal) > 1) {
      await limiter.flush().catch(() => undefined)
      return
    }
    await limiter.close().catch(() => undefined)
    process.kill(process.pid, signal)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}
