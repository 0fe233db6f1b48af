import type { Socket } from "node:net"

/** About what a request takes in memory until it is answered, beside its bytes. */
export const REQUEST_BYTES = 5_000

/** What the requests of all connections may take. */
const MOST_BYTES = 67_108_864
/** What those of a connection may take at least, however many connections there may be: three short ones. */
const SHARE_BYTES = 16_384
/** How often it is looked whether there is room again. */
const LOOK_MS = 10

/** A connection, as a backlog sees it. */
export interface Backlogged {
  /** What its requests take. */
  readonly backlogBytes: number
  /** Whether its requests wait for the client: to read answers, or to go. */
  readonly isStalled: boolean
  /** Looks anew whether it may read. */
  readOrPause(): void
  destroy(): void
}

/**
 * The requests of all connections that are not answered yet. Each connection reads no more above a bound of its own, but
 * one read can bring thousands, and there are many connections. So where all of them together are too many, none reads
 * until half of them are gone. Where clients hold them up, the connections that hold most are cut.
 */
export class Backlog {
  readonly #connections: ReadonlyMap<Socket, Backlogged>
  readonly #shareBytes: number
  readonly #mostBytes: number
  #bytes = 0
  #isFull = false

  /** @param mostConnections how many there may be at once */
  constructor(connections: ReadonlyMap<Socket, Backlogged>, mostConnections: number) {
    this.#connections = connections
    this.#mostBytes = Math.max(MOST_BYTES, mostConnections * SHARE_BYTES)
    this.#shareBytes = this.#mostBytes / Math.max(1, mostConnections)
  }

  /** Whether nobody may read. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Notes what requests take, or, where negative, that it is free again. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= this.#mostBytes || this.#isFull) return
    this.#isFull = true
    // At once: what the same turn of the event loop is still to read would be too much as well.
    for (const connection of this.#connections.values()) connection.readOrPause()
    this.#lookLater()
  }

  #lookLater(): void {
    setTimeout(() => this.#look(), LOOK_MS)
  }

  #look(): void {
    this.#cutStalled()
    this.#isFull = this.#bytes > this.#mostBytes / 2
    if (this.#isFull) this.#lookLater()
    else for (const connection of this.#connections.values()) connection.readOrPause()
  }

  #cutStalled(): void {
    const stalled = [...this.#connections.values()]
      .filter(({ isStalled, backlogBytes }) => isStalled && backlogBytes > this.#shareBytes)
      .sort((a, b) => b.backlogBytes - a.backlogBytes)
    for (const connection of stalled) {
      if (this.#bytes <= this.#mostBytes / 2) return
      connection.destroy()
    }
  }
}
