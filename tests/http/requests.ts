export const ok = () => new Response("ok")

export function requestOf(headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/path", { headers })
}

/** Lets all that waits for a promise go on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A promise, to be kept or broken later. */
export function deferred<T>() {
  return Promise.withResolvers<T>()
}
