import type { DenialCache } from "../src/edge/denial-cache.js"
import { receiveDecision } from "../src/edge/denial-terms.js"
import type { Drawn, DrawRequest } from "../src/edge/lease-draw.js"
import { requireKey } from "../src/engine/key-bytes.js"
import type { Policy } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { CallSharing } from "./call-sharing.js"
import type { CheckPart } from "./check-part.js"
import type { EdgeLimiterOptions } from "./edge-limiter-options.js"
import type { KeyPlaces } from "./key-places.js"
import type { LimiterObject } from "./limiter-object.js"
import { type CallManner, ObjectCalls, type ObjectStub, TOGETHER_TIMEOUT_MS } from "./object-calls.js"
import { readRpcDecision } from "./rpc-decision.js"
import type { Subject } from "./subject.js"

export interface KeyCallsParts {
  readonly binding: DurableObjectNamespace<LimiterObject>
  readonly policy: Policy
  readonly places: KeyPlaces
  /** Where denials are remembered, if they are. */
  readonly denialCache: DenialCache | null
}

/** A check that is decided by itself. */
interface LoneCheck {
  readonly key: string
  readonly cost: number
  readonly id: string | undefined
  /** As that of a `SubjectCheck`. */
  readonly maxDelayMs: number | undefined
}

/** Whether making a call again does no harm. */
type Repeat = Pick<CallManner, "repeatable">

/** What an object is asked about a key. */
type ObjectCall<T> = (stub: ObjectStub, subject: Subject) => Promise<T> | T

/**
 * Calls about the keys of a limit, each to the key's object. What they tell of denials is remembered; and forgotten
 * where a call may change when a key is admitted.
 */
export class KeyCalls {
  readonly #parts: KeyCallsParts
  readonly #calls: ObjectCalls
  /** `null` where a call would end with the request that makes it, or others could not wait for it. */
  readonly #sharing: CallSharing | null
  readonly #timeoutMs: number | undefined
  readonly #background: (work: Promise<unknown>) => void

  /** @throws {RangeError} where the platform has no such jurisdiction */
  constructor(parts: KeyCallsParts, options: EdgeLimiterOptions) {
    const { timeoutMs, background } = options
    this.#parts = parts
    this.#calls = new ObjectCalls(parts.binding, options)
    this.#timeoutMs = timeoutMs
    this.#background = background ?? (() => undefined)
    this.#sharing =
      background === undefined || !CallSharing.isPossible()
        ? null
        : new CallSharing({
            calls: this.#calls,
            subjectText: parts.places.subjectText,
            timeoutMs: timeoutMs ?? TOGETHER_TIMEOUT_MS,
            background,
          })
  }

  /** Calls to objects made so far. */
  get made(): number {
    return this.#calls.made
  }

  /**
   * A check by the key's object.
   *
   * @param cacheName what the key is called where denials are remembered
   */
  async check(check: LoneCheck, cacheName: string): Promise<Decision> {
    const { key, cost } = check
    requireKey(key)
    const { denialCache, policy } = this.#parts
    const ticket = denialCache?.ticket()
    const decision = readRpcDecision(await this.#decide(check), key, cost, policy)
    if (ticket !== undefined) denialCache!.note(cacheName, policy, decision, ticket)
    return decision
  }

  /** A question goes alone: it does not keep an object busy. */
  #decide({ key, cost, id, maxDelayMs }: LoneCheck): Promise<string> {
    const object = this.#parts.places.objectOf(key)
    const { subjectText } = this.#parts.places
    const alone = () => {
      const ask = (stub: ObjectStub) => {
        if (maxDelayMs !== undefined) return stub.decide(key, subjectText, cost, id, maxDelayMs)
        return id === undefined ? stub.decide(key, subjectText, cost) : stub.decide(key, subjectText, cost, id)
      }
      return this.#calls.call(object, ask, { repeatable: id !== undefined, timeoutMs: this.#timeoutMs })
    }
    if (this.#sharing === null || cost === 0) return alone()
    const check = { key, cost, ...(id !== undefined && { id }), ...(maxDelayMs !== undefined && { maxDelayMs }) }
    return this.#sharing.ask(object, check, alone)
  }

  /** A check that others send together with those of other limits. */
  partOf(key: string, cost: number, id: string | undefined): CheckPart {
    const { binding, policy, places, denialCache } = this.#parts
    return {
      binding,
      calls: this.#calls,
      object: places.objectOf(key),
      scope: places.scope,
      check: { subject: places.subjectOf(key), cost, ...(id !== undefined && { id }) },
      timeoutMs: this.#timeoutMs,
      policy,
      denialCache,
      cacheName: places.cacheName(key),
      background: this.#background,
    }
  }

  /** Draws units for a lease; the denial that it brings is remembered. */
  async draw(key: string, request: DrawRequest): Promise<Drawn> {
    const { denialCache, policy, places } = this.#parts
    const name = places.cacheName(key)
    const ticket = denialCache?.ticket()
    const drawn = await this.ask(key, (stub, subject) => stub.draw(subject, request))
    const decision = receiveDecision(drawn.decision)
    const denial = drawn.denial && receiveDecision(drawn.denial)
    if (ticket !== undefined) {
      for (const told of [decision, denial]) {
        if (told !== null) denialCache?.note(name, policy, told, ticket)
      }
    }
    return { decision, denial }
  }

  /**
   * A call that may change when a key is admitted, or how long it waits: what was known before does not answer for
   * that.
   */
  async change<T>(key: string, ask: ObjectCall<T>, manner: Repeat): Promise<T> {
    this.forgetDenial(key)
    try {
      return await this.#call(key, ask, manner)
    } finally {
      this.forgetDenial(key)
    }
  }

  /** A call after which what is remembered stays true, and that may be made again. */
  ask<T>(key: string, ask: ObjectCall<T>): Promise<T> {
    return this.#call(key, ask, { repeatable: true })
  }

  /** The key may be admitted again. */
  forgetDenial(key: string): void {
    const { denialCache, places } = this.#parts
    denialCache?.forget(places.cacheName(key))
  }

  #call<T>(key: string, ask: ObjectCall<T>, { repeatable }: Repeat): Promise<T> {
    requireKey(key)
    const { places } = this.#parts
    const subject = places.subjectOf(key)
    return this.#calls.call(places.objectOf(key), (stub) => ask(stub, subject), {
      repeatable,
      timeoutMs: this.#timeoutMs,
    })
  }
}
