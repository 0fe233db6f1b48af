import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Connection } from "./connection.js"

/** What functions of the options get after the request. */
export type Rest<Incoming> = [message: Incoming, connection: Connection]

export function connectionOf(message: {
  readonly socket: { readonly remoteAddress?: string | undefined }
}): Connection {
  return { remoteAddress: message.socket.remoteAddress }
}

/** Tells `onError`, or else the console, what a listener threw. */
export function reportTo<Incoming>(
  { onError = console.error }: Pick<RateLimitOptions<Rest<Incoming>>, "onError">,
  error: unknown,
  request: Request,
  ...rest: Rest<Incoming>
): void {
  // An error of the error hook has nowhere to go.
  void (async () => onError(error, request, ...rest))().catch(() => {})
}
