import { withDeadline } from "../src/http/with-deadline.js"
import { StoreUnavailable } from "../src/types/errors.js"
import type { LimiterObject } from "./limiter-object.js"
import { revive } from "./revive-error.js"

export type ObjectStub = DurableObjectStub<LimiterObject>

/** Where objects are made. */
export interface Placement {
  readonly locationHint?: DurableObjectLocationHint
  readonly jurisdiction?: DurableObjectJurisdiction
}

/** How long a check may take that others wait for, or that waits for others, where nobody said; ms. */
export const TOGETHER_TIMEOUT_MS = 5_000

/** How a call is made. */
export interface CallManner {
  /** Whether making it again does no harm: it asks only, or what it does is done once. */
  readonly repeatable: boolean
  /** How long it may take in all, ms; as long as it takes if not given. */
  readonly timeoutMs?: number
}

/**
 * Calls to objects. A new stub for each: one that saw an error is dead. A call that failed is made a second time where
 * that does no harm, at once, and never a third time; and no second time to an object that has too much to do already.
 * So there is no storm of retries.
 */
export class ObjectCalls {
  readonly #namespace: DurableObjectNamespace<LimiterObject>
  readonly #stubOptions: { locationHint?: DurableObjectLocationHint }
  #made = 0

  constructor(binding: DurableObjectNamespace<LimiterObject>, { locationHint, jurisdiction }: Placement) {
    this.#namespace = jurisdiction === undefined ? binding : binding.jurisdiction(jurisdiction)
    this.#stubOptions = locationHint === undefined ? {} : { locationHint }
  }

  /** Calls made so far, repeated ones included. */
  get made(): number {
    return this.#made
  }

  /** @throws {StoreUnavailable} where the object did not answer; else what it threw, with its class */
  call<T>(name: string, ask: (stub: ObjectStub) => Promise<T> | T, { repeatable, timeoutMs }: CallManner): Promise<T> {
    const answer = repeatable ? this.#atMostTwice(name, ask) : this.#once(name, ask)
    return timeoutMs === undefined ? answer : withDeadline(answer, timeoutMs)
  }

  async #atMostTwice<T>(name: string, ask: (stub: ObjectStub) => Promise<T> | T): Promise<T> {
    try {
      return await this.#once(name, ask)
    } catch (error) {
      if (!mayRepeat(error)) throw error
    }
    return this.#once(name, ask)
  }

  async #once<T>(name: string, ask: (stub: ObjectStub) => Promise<T> | T): Promise<T> {
    this.#made += 1
    try {
      return await ask(this.#namespace.getByName(name, this.#stubOptions))
    } catch (error) {
      throw ownError(error)
    }
  }
}

/** What an object threw, with its class; `StoreUnavailable` where that is none of ours. */
export function ownError(error: unknown): Error {
  return revive(error) ?? new StoreUnavailable("the Durable Object failed", { cause: error })
}

/** Whether a call that failed so is to be made again where that does no harm. */
export function mayRepeat(error: unknown): boolean {
  return error instanceof StoreUnavailable && !isOverloaded(error)
}

/** As the platform marks the errors of an object that has more calls waiting than it can take. */
function isOverloaded({ cause }: StoreUnavailable): boolean {
  return (cause as { overloaded?: unknown } | undefined)?.overloaded === true
}
