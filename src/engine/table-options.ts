import type { Seed } from "./seed.js"

/**
 * What happens to a new key when `maxKeys` are held: the neighbour nearest to full makes room, or it is refused; or
 * that there is no bound, `maxKeys` being 2^32 − 1, and nothing idle is dropped on the way.
 */
export type OnFull = keyof typeof ON_FULL

/** Its number in the core. */
export const ON_FULL = { "evict-nearest-full": 0, "deny-new": 1, "keep-all": 2 } as const

/** How the keys of one limit are kept, as far as whoever makes a limiter chooses it. */
export interface TableChoice {
  /** The most keys held at once, 1 … 2^32 − 1. */
  readonly maxKeys: number
  readonly onFull: OnFull
  /**
   * Whether to count decisions per key: a cell of 64 bytes per key, 77 to 97 with the room that tables keep to grow.
   */
  readonly stats: boolean
}

/** How the keys of one limit are kept. */
export interface TableOptions extends TableChoice {
  readonly seed: Seed
  /** What the ids of this limit's receipts start with. */
  readonly issuerId: string
  /**
   * Whether other limits use the core too: then it outlives this one, and what this one holds is freed when it is
   * collected. A core of its own is collected with it.
   */
  readonly sharesCore: boolean
}
