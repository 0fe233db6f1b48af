import { isSynchronous } from "../limiter/sync-limiter.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy, PolicyInput } from "../policy/policy.js"
import {
  COST,
  either,
  FUNCTION,
  type Kinds,
  oneOf,
  READ_ELSEWHERE,
  requireFields,
  whole,
} from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import type { Awaitable } from "../types/limiter.js"
import { giveBack } from "./ask-limits.js"
import { decide, type Reports, refuseBadCost } from "./decide.js"
import { firstFailures } from "./first-failures.js"
import { limiterKey, UNIDENTIFIED_KEY, unhashedKey } from "./keys/limiter-key.js"
import { memoryLimiters } from "./memory-limiters.js"
import { identityOf, perPolicy } from "./per-policy.js"
import type { RateLimitOptions } from "./rate-limit-options.js"
import type { RequestLimiter } from "./request-limiter.js"
import { FAILURE_KINDS, refuseIdle } from "./require-options.js"
import { unasked } from "./unasked.js"

/** A WebSocket as all runtimes have it: that of browsers, of Workers, of Deno, and of the package `ws`. */
export interface MessageSocket {
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void
  close(code?: number, reason?: string): void
}

/** What `limitMessages` can be told. Only `policy` is required. */
export interface MessageLimitOptions
  extends Pick<RateLimitOptions, "failMode" | "timeoutMs" | "localLimiter" | "maxKeys" | "clock"> {
  /** How many messages, or units of their costs, a key may send. */
  readonly policy: PolicyInput
  /**
   * Units that a message costs, a whole number; default 1. A function that throws, or a bad cost, denies the message.
   */
  readonly cost?: number | ((message: unknown) => Awaitable<number>) | undefined
  /** Who counts; default this process's memory. */
  readonly limiter?: ((policy: Policy) => RequestLimiter) | undefined
  /**
   * What happens to a socket whose message is denied: `"close"` (the default) closes it with the code 1008, `"drop"`
   * leaves the message out, a function does as it likes.
   */
  readonly onLimited?:
    | "close"
    | "drop"
    | ((socket: MessageSocket, decision: Decision, message: unknown) => void)
    | undefined
  /**
   * The most messages of a socket that wait for the limiter's answer, 1 … 65,536; default 256. More are denied at once.
   * A limiter in memory lets none wait, unless `cost` or the key is a function.
   */
  readonly maxPending?: number | undefined
  /** Hears of every decision. It cannot change one. */
  readonly onDecision?: ((decision: Decision, message: unknown) => void) | undefined
  /**
   * Hears of everything that went wrong and was dealt with. Without it, the first failure that the fail mode has to
   * decide on is told on the console, and so is the first of a key, and nothing else.
   */
  readonly onError?: ((error: unknown, message: unknown) => void) | undefined
}

/** What the messages of a socket count against. */
export type MessageKey = string | ((message: unknown) => Awaitable<string | null | undefined>)

/** Limits messages. */
export interface MessageGuard {
  /**
   * Asks and charges for one message of a key, for sockets that have no listeners of their own, such as hibernating
   * ones.
   */
  check(key: MessageKey, message: unknown): Promise<Decision>
  /**
   * Hands the messages of a socket that are within the limit to `onMessage`, in the order in which they came.
   *
   * @param key what they count against: the user, or something of this socket alone, or a function of the message.
   * Where it fails, or gives neither a text nor nothing, `onError` is told and the message counts against
   * `UNIDENTIFIED_KEY`
   */
  listen(socket: MessageSocket, key: MessageKey, onMessage: (message: unknown, socket: MessageSocket) => unknown): void
}

/** "Policy violation" (RFC 6455, section 7.4.1). */
const POLICY_VIOLATION = 1008
const DEFAULT_MAX_PENDING = 256
const OPTION_KINDS: Kinds<MessageLimitOptions> = {
  ...FAILURE_KINDS,
  policy: READ_ELSEWHERE,
  cost: COST,
  onLimited: either(oneOf("close", "drop"), FUNCTION),
  maxPending: whole(1, 65_536),
}

/**
 * Limits the messages that come in over WebSockets. The request that opens the socket is limited by `rateLimit`; this
 * is for what follows.
 *
 * @throws {PolicyError} where the policy cannot be; {RangeError} where another option cannot be
 * @example
 * ```ts
 * import { limitMessages } from "sluice/http"
 *
 * const messages = limitMessages({ policy: "2/second", onLimited: "drop" })
 * const first = await messages.check("user:42", "hello")
 * first.allowed // true
 * ```
 */
export function limitMessages(options: MessageLimitOptions): MessageGuard {
  requireFields("limit messages", options, OPTION_KINDS)
  refuseIdle("limit messages", options)
  const { cost = 1, onLimited = "close", maxPending = DEFAULT_MAX_PENDING, onDecision, onError } = options
  const { failMode = "open", timeoutMs = 1_000, localLimiter } = options
  const policy = parsePolicy(options.policy)
  // A limiter of somebody else's may have another policy in force.
  if (!options.limiter) refuseBadCost("limit messages", { policy, cost })
  const memory = memoryLimiters({ known: new Set([identityOf(policy)]), hasOthers: false }, options)
  const decideOptions = {
    limiterOf: options.limiter ? perPolicy(options.limiter) : memory,
    localLimiter: localLimiter ? perPolicy(localLimiter) : memory,
    failMode,
    timeoutMs,
    maxDelayMs: 0,
  }

  const warnings = firstFailures("limit messages", "messages", failMode)

  function reportsOf(message: unknown): Reports {
    const error = (error: unknown) => quietly(() => onError?.(error, message))
    return { error, outage: onError ? error : warnings.outage, inBackground: (work) => void work().catch(error) }
  }

  async function check(key: MessageKey, message: unknown): Promise<Decision> {
    return decideAtOnce(key, message) ?? decideInTime(key, message)
  }

  async function decideInTime(key: MessageKey, message: unknown): Promise<Decision> {
    const reports = reportsOf(message)
    const ask = { policy, key: await keyOf(key, message, onError ? reports.error : warnings.key), cost: 1 }
    try {
      ask.cost = typeof cost === "number" ? cost : await cost(message)
      const decided = await decide([ask], decideOptions, reports)
      if ("badCost" in decided) throw decided.badCost.error
      if (!decided.decision.allowed) {
        for (const charge of decided.charges) reports.inBackground(() => giveBack(charge))
      }
      return told(decided.decision, message)
    } catch (error) {
      reports.error(error)
      return told(unasked("limit", ask), message)
    }
  }

  /** The decision where nobody has to be waited for. Where it fails, `decideInTime` does as the fail mode says. */
  function decideAtOnce(key: MessageKey, message: unknown): Decision | undefined {
    if (typeof key === "function" || typeof cost === "function") return undefined
    let decision: Decision
    try {
      const limiter = decideOptions.limiterOf(policy)
      const known = unhashedKey(key)
      if (known === undefined || !isSynchronous(limiter)) return undefined
      decision = limiter.check(known, { cost })
    } catch {
      return undefined
    }
    return told(decision, message)
  }

  function told(decision: Decision, message: unknown): Decision {
    quietly(() => onDecision?.(decision, message), reportsOf(message).error)
    return decision
  }

  function listen(socket: MessageSocket, key: MessageKey, onMessage: Parameters<MessageGuard["listen"]>[2]): void {
    // What a function would give for a message that nobody looks at is not known.
    const shownKey = typeof key === "string" ? key : UNIDENTIFIED_KEY
    let pending = 0
    /** Whether it still hears the socket. */
    let hears = true
    let isClosed = false
    let turn = Promise.resolve()
    socket.addEventListener("message", ({ data }) => {
      if (!hears) return
      const known = decideAtOnce(key, data)
      if (known) {
        // Nothing is asked for what comes after a message that closes the socket.
        if (!known.allowed && onLimited === "close") hears = false
        inTurn(() => known, data)
        return
      }
      if (pending >= maxPending) {
        denyUnasked(data)
        return
      }
      pending += 1
      const decided = decideInTime(key, data)
      inTurn(async () => {
        const decision = await decided
        pending -= 1
        return decision
      }, data)
    })

    /** Does as a message's decision says, after those that came before it. */
    function inTurn(decided: () => Awaitable<Decision>, data: unknown): void {
      // Nobody waits for this promise: were it rejected, the process would end.
      turn = turn
        .then(async () => {
          const decision = await decided()
          if (isClosed) return
          // Not awaited, and what it throws not caught: as if it were the socket's own listener.
          if (decision.allowed) void Promise.resolve().then(() => onMessage(data, socket))
          else deny(decision, data)
        })
        .catch(reportsOf(data).error)
    }

    /** Denies a message at once, and keeps none of those that come in a crowd. */
    function denyUnasked(data: unknown): void {
      const decision = told(unasked("limit", { policy, key: shownKey, cost: 1 }), data)
      if (onLimited === "close") {
        // Those that wait came before it.
        hears = false
        inTurn(() => decision, data)
      } else {
        deny(decision, data)
      }
    }

    function deny(decision: Decision, data: unknown): void {
      if (typeof onLimited === "function") quietly(() => onLimited(socket, decision, data), reportsOf(data).error)
      if (onLimited !== "close" || isClosed) return
      hears = false
      isClosed = true
      // No wait helps a message whose cost cannot be, and how long a crowd takes nobody knows.
      const when = decision.retryAfterMs === 0 ? "" : `: try again in ${decision.retryAfterMs} ms`
      socket.close(POLICY_VIOLATION, `Too many messages${when}.`)
    }
  }

  return { check, listen }
}

/** A key that cannot be is no way out of a limit. */
async function keyOf(key: MessageKey, message: unknown, onFailure: (error: unknown) => void): Promise<string> {
  try {
    return await limiterKey(typeof key === "function" ? await key(message) : key)
  } catch (error) {
    onFailure(error)
    return UNIDENTIFIED_KEY
  }
}

/** Hooks cannot change what happens, by throwing at once or later. */
function quietly(hook: () => unknown, onError: (error: unknown) => void = () => {}): void {
  void (async () => hook())().catch(onError)
}
