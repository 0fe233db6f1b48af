import { withDeadline } from "../src/http/with-deadline.js"
import { type Kinds, oneOf, unfit } from "../src/policy/require-fields.js"
import { StoreCorrupt, StoreUnavailable } from "../src/types/errors.js"
import type { LimiterObject } from "./limiter-object.js"
import { withClass } from "./with-class.js"

export type ObjectStub = DurableObjectStub<LimiterObject>

/**
 * Where objects are made. What is none of the names below is refused, for a misspelt one would leave every request to
 * the fail mode: a name that Cloudflare adds later needs a later version of this package.
 */
export interface Placement {
  /**
   * Near what place new objects are made: `wnam`, `enam`, `sam`, `weur`, `eeur`, `apac`, `apac-ne`, `apac-se`, `oc`,
   * `afr` or `me`.
   */
  readonly locationHint?: DurableObjectLocationHint | undefined
  /**
   * Where objects run and store: `eu`, `fedramp`, `fedramp-high` or `us`. Local workerd has no jurisdictions, and so
   * cannot make a limiter with one: leave it out under `wrangler dev`.
   */
  readonly jurisdiction?: DurableObjectJurisdiction | undefined
}

/** Names that cannot be left out here unnoticed: the platform's types have them all. */
type Named<Name extends string> = Readonly<Record<Name, true>>

const LOCATION_HINTS: Named<DurableObjectLocationHint> = {
  ...{ wnam: true, enam: true, sam: true, weur: true, eeur: true, apac: true, "apac-ne": true, "apac-se": true },
  ...{ oc: true, afr: true, me: true },
}
const JURISDICTIONS: Named<DurableObjectJurisdiction> = { eu: true, fedramp: true, "fedramp-high": true, us: true }

export const PLACEMENT_KINDS: Kinds<Placement> = {
  locationHint: oneOf(...Object.keys(LOCATION_HINTS)),
  jurisdiction: oneOf(...Object.keys(JURISDICTIONS)),
}

const PLATFORM_JURISDICTION = "one that the platform has: under wrangler dev there is none, so leave it out there"

/** How long a check may take that others wait for, or that waits for others, where nobody said; ms. */
export const TOGETHER_TIMEOUT_MS = 5_000

/** How a call is made. */
export interface CallManner {
  /** Whether making it again does no harm: it asks only, or what it does is done once. */
  readonly repeatable: boolean
  /** How long it may take in all, ms; as long as it takes if not given. */
  readonly timeoutMs?: number | undefined
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

  /** @throws {RangeError} where the platform has no such jurisdiction */
  constructor(binding: DurableObjectNamespace<LimiterObject>, { locationHint, jurisdiction }: Placement) {
    this.#namespace = jurisdiction === undefined ? binding : within(jurisdiction, binding)
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
      const own = ownError(error)
      // Shown on the console: the object's name tells the limit and the key.
      if (own instanceof StoreCorrupt) Object.assign(own, { object: name })
      throw own
    }
  }
}

/** @throws {RangeError} where the platform has none: local workerd has no jurisdictions at all */
function within(
  jurisdiction: DurableObjectJurisdiction,
  binding: DurableObjectNamespace<LimiterObject>,
): DurableObjectNamespace<LimiterObject> {
  try {
    return binding.jurisdiction(jurisdiction)
  } catch (error) {
    const { message } = unfit("make a limiter", "jurisdiction", jurisdiction, PLATFORM_JURISDICTION)
    throw new RangeError(message, { cause: error })
  }
}

/** What an object threw, with its class; `StoreUnavailable` where that is none of ours. */
export function ownError(error: unknown): Error {
  return withClass(error) ?? new StoreUnavailable("the Durable Object failed", { cause: error })
}

/** Whether a call that failed so is to be made again where that does no harm. */
export function mayRepeat(error: unknown): boolean {
  return error instanceof StoreUnavailable && !isOverloaded(error)
}

/** As the platform marks the errors of an object that has more calls waiting than it can take. */
function isOverloaded({ cause }: StoreUnavailable): boolean {
  return (cause as { overloaded?: unknown } | undefined)?.overloaded === true
}
