import type { AddressInfo, Server } from "node:net"
import type { RunningServer } from "./adapter-cases.js"

/** A server that some framework's own starter starts. */
export function serving(start: (listening: (address: AddressInfo) => void) => unknown): Promise<RunningServer> {
  return new Promise((resolve) => {
    const server = start(({ port }) => {
      resolve({
        url: `http://127.0.0.1:${port}`,
        close: () => new Promise((closed) => server.close(() => closed())),
      })
    }) as Server
  })
}
