import process from "node:process"

/** Signals that ask a process to end, and that it hears. */
export const SHUTDOWN_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"] as const
export type ShutdownSignal = (typeof SHUTDOWN_SIGNALS)[number]

/** What is closed in good order. */
interface Closable {
  flush(): Promise<void>
  close(): Promise<void>
}

/** Marks our listeners: those of another copy of this module in the process are none of the program's. */
const OURS = Symbol.for("sluice.closeOnSignals")

/** Hears one signal for all limiters of this process that are to be closed at it. */
class SignalWatch {
  readonly #signal: ShutdownSignal
  readonly #limiters = new Set<Closable>()
  readonly #listener = Object.assign(() => void this.#hear(), { [OURS]: true })
  #isClosing = false

  constructor(signal: ShutdownSignal) {
    this.#signal = signal
  }

  add(limiter: Closable): void {
    // First of all listeners: one that hears the signal once is gone when its turn has come.
    if (this.#limiters.size === 0) process.prependListener(this.#signal, this.#listener)
    this.#limiters.add(limiter)
  }

  remove(limiter: Closable): void {
    if (this.#limiters.delete(limiter) && this.#limiters.size === 0) process.off(this.#signal, this.#listener)
  }

  // What fails in here was told to whoever waited for it; here nobody does.
  async #hear(): Promise<void> {
    if (process.listeners(this.#signal).some((listener) => !(OURS in listener))) {
      await Promise.allSettled(Array.from(this.#limiters, (limiter) => limiter.flush()))
      return
    }
    // A signal that comes again meanwhile changes nothing.
    if (this.#isClosing) return
    this.#isClosing = true
    // Others may be opened while these are closed.
    while (this.#limiters.size > 0) {
      const limiters = [...this.#limiters]
      await Promise.allSettled(limiters.map((limiter) => limiter.close()))
      for (const limiter of limiters) this.remove(limiter)
    }
    this.#isClosing = false
    process.kill(process.pid, this.#signal)
  }
}

const watches = new Map<ShutdownSignal, SignalWatch>()

/**
 * Closes a limiter in good order when the process is asked to end, and lets it end by that signal once all such
 * limiters are closed. Where the program listens to the signal itself, they are flushed, and the program decides.
 * However many there are, the process has one listener for a signal, and none when the last is closed.
 *
 * @returns ends the listening; a limiter does so when it is closed
 */
export function closeOnSignals(limiter: Closable, signals: readonly ShutdownSignal[]): () => void {
  const watched = signals.map((signal) => {
    const watch = watches.get(signal) ?? new SignalWatch(signal)
    watches.set(signal, watch)
    watch.add(limiter)
    return watch
  })
  return () => {
    for (const watch of watched) watch.remove(limiter)
  }
}
