import type { Socket } from "node:net"

/** About what a request takes in memory until it is answered, beside its bytes. */
export const REQUEST_BYTES = 5_000

/** What the requests of all connections may take. */
const MAX_BYTES = 67_108_864
/** What they may take for each connection that there may be: three short ones. */
const SHARE_BYTES = 16_384
/** How often to look whether there is room again. */
const LOOK_MS = 10
/**
 * From which look on clients that hold requests up are cut. To one who reads, answers may be on their way until then.
 */
const PATIENT_LOOKS = 10

/** A connection, as a backlog sees it. */
export interface Backlogged {
  /** What its requests take: at most `REQUEST_BYTES` where it has only one. */
  readonly backlogBytes: number
  /** Whether its requests wait for the client: to read answers, or to go. */
  readonly waitsForClient: boolean
  /** Looks anew whether it may read. */
  readOrPause(): void
  destroy(): void
}

/**
 * The requests of all connections that are not answered yet. Each connection reads no more above a bound of its own,
 * but one read can bring thousands, and there are many connections. So where all of them together are too many, none
 * reads until half of them are gone.
 *
 * They do go, although bodies are not read meanwhile: behind a body that is still to come there is no other request,
 * and connections with one request each take less than that half. Of the others, the requests are answered, or else
 * wait for their clients: then the connections that hold most are cut.
 */
export class Backlog {
  readonly #connections: ReadonlyMap<Socket, Backlogged>
  readonly #mostBytes: number
  #bytes = 0
  #isFull = false

  /** @param mostConnections how many there may be at once */
  constructor(connections: ReadonlyMap<Socket, Backlogged>, mostConnections: number) {
    this.#connections = connections
    this.#mostBytes = Math.max(MAX_BYTES, mostConnections * SHARE_BYTES)
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
    this.#lookAfter(0)
  }

  #lookAfter(looks: number): void {
    setTimeout(() => this.#look(looks + 1), LOOK_MS)
  }

  #look(looks: number): void {
    if (looks >= PATIENT_LOOKS) this.#cutHeaviest()
    this.#isFull = this.#bytes > this.#mostBytes / 2
    if (this.#isFull) this.#lookAfter(looks)
    else for (const connection of this.#connections.values()) connection.readOrPause()
  }

  /** Of the fewest connections without which there would be room, cuts those that wait for their clients. */
  #cutHeaviest(): void {
    let bytes = this.#bytes
    for (const connection of [...this.#connections.values()].sort((a, b) => b.backlogBytes - a.backlogBytes)) {
      if (bytes <= this.#mostBytes / 2) return
      bytes -= connection.backlogBytes
      if (connection.waitsForClient) connection.destroy()
    }
  }
}
