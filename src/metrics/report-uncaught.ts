/**
 * Reports an error that nobody waits for as one that was not caught, as a platform's own `EventTarget` does with what a
 * listener throws: by `reportError` where there is one (Workers, Deno, Bun, browsers), else from a microtask of its
 * own, which on Node is an `uncaughtException`. Never throws itself.
 */
export function reportUncaught(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void }
  if (typeof reportError === "function") return void reportError(error)
  queueMicrotask(() => {
    throw error
  })
}
