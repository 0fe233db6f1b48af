/** How an adapter hands the connection to key extractors, as an argument after the request. */
export interface ClientInfo {
  /** The address at the other end of the connection. */
  readonly remoteAddress?: string | undefined
}

/**
 * The address at the other end of the connection, from the arguments that the runtime gives beside the request: a
 * `ClientInfo`, what `Deno.serve` gives (`remoteAddr.hostname`), what `Bun.serve` gives (`requestIP(request)`), or what
 * `@hono/node-server` gives (`incoming.socket.remoteAddress`).
 *
 * @returns `undefined` where none of them knows it, as on Workers and on a Unix socket
 */
export function socketAddress(request: Request, rest: readonly unknown[]): string | undefined {
  for (const argument of rest) {
    if (typeof argument !== "object" || argument === null) continue
    const { remoteAddress, remoteAddr } = argument as ClientInfo & { remoteAddr?: { hostname?: unknown } }
    if (typeof remoteAddress === "string") return remoteAddress
    if (typeof remoteAddr?.hostname === "string") return remoteAddr.hostname
    const { incoming } = argument as { incoming?: { socket?: ClientInfo } }
    if (typeof incoming?.socket?.remoteAddress === "string") return incoming.socket.remoteAddress
    const server = argument as { requestIP?: (request: Request) => { address?: unknown } | null }
    const address = typeof server.requestIP === "function" ? server.requestIP(request)?.address : undefined
    if (typeof address === "string") return address
  }
  return undefined
}
