import type { ClientInfo } from "../http/keys/socket-address.js"

/** What adapters hand to the functions of the options after what the framework itself gives. */
export interface Connection extends ClientInfo {
  /** Keeps the runtime going for work that the response does not wait for, where it needs to be told. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
}
