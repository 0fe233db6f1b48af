import { CostError, KeyError, PolicyError, StoreCorrupt, StoreUnavailable, StoreVersion } from "../src/types/errors.js"

/** What crosses RPC of an error: its name, its message and its own properties, but not its class. */
type Crossed = Error & Record<string, unknown>

const CLASSES = { CostError, KeyError, PolicyError, RangeError, StoreCorrupt, StoreUnavailable, StoreVersion }

/** Gives an error that crossed RPC its class back; `undefined` where it is none of ours. */
export function withClass(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined
  const crossed = error as Crossed
  for (const [name, Class] of Object.entries(CLASSES)) {
    if (crossed instanceof Class) return crossed
    if (crossed.name === name) return Object.setPrototypeOf(crossed, Class.prototype) as Error
  }
  return undefined
}
