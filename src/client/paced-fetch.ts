import { BoundedMap } from "../lib/bounded-map.js"
import { untilAborted } from "../lib/until-aborted.js"
import { MAX_TIMER_MS, MAX_UNITS } from "../policy/policy-range.js"
import { FUNCTION, type Kinds, oneOf, required, requireFields, requireWhole, whole } from "../policy/require-fields.js"
import { TimeoutExceeded } from "../types/errors.js"
import { type Flight, Pace, type Pacing } from "./pace.js"
import { readQuotaFields, readRetryAfter } from "./quota-fields.js"

export interface PacedFetchOptions {
  /** Which requests share a quota; default those to the same origin. */
  readonly key?: ((request: Request) => string) | undefined
  /** Units that a request costs its quota, a whole number 0 … 2^31; default 1. */
  readonly cost?: ((request: Request) => number) | undefined
  /**
   * `"burst"` (default) sends as long as there is quota, and then waits; `"even"` spreads what is left over the time
   * until the quota is full.
   */
  readonly pacing?: Pacing | undefined
  /**
   * How often a request that was refused is sent again, 0 … 100; default 2. A 429 was not served, so any may be; a 503
   * with `Retry-After` only where its method is idempotent.
   */
  readonly retries?: number | undefined
  /** The longest wait before a request, in ms; default 60,000. */
  readonly maxWaitMs?: number | undefined
}

const OPTION_KINDS: Kinds<PacedFetchOptions> = {
  key: FUNCTION,
  cost: FUNCTION,
  pacing: oneOf("burst", "even"),
  retries: whole(0, 100),
  maxWaitMs: whole(0, Number.MAX_SAFE_INTEGER),
}

/** `fetch`, as far as it is paced. */
export type PacedFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

const IDEMPOTENT = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]
/** Servers of which something is remembered; the one used least recently is forgotten. */
const MAX_LINES = 1_000

/** The requests that share a quota: they go one after the other through its gate, not through the network. */
interface Line {
  readonly pace: Pace
  /** Settled when the last one that came has gone, or has given up. */
  last: Promise<unknown>
  /** Called when an answer came. */
  wake: () => void
}

/**
 * A `fetch` that keeps below the limits that servers tell of: in `RateLimit` (drafts 11, 7 and 6), `X-RateLimit-*` and
 * `Retry-After`, this one on a 429 and a 503. What would exceed them waits, first come first served; what is refused
 * all the same is sent again when the server says so. No answer keeps requests back for more than a day.
 *
 * @param fetch the one underneath; the runtime's where it is `undefined`
 * @returns a function like `fetch`. It rejects with `TimeoutExceeded` where a request would have to wait longer than
 * `maxWaitMs`; the last refusal is returned as it is
 * @throws {RangeError} where an option is out of range; the function too, where a cost is
 * @example
 * ```ts
 * import { pacedFetch } from "sluice/client"
 *
 * let left = 2
 * const server = async () => {
 *   left -= 1
 *   return new Response("ok", { headers: { RateLimit: `"default";r=${left};t=60` } })
 * }
 * const paced = pacedFetch(server, { maxWaitMs: 0 })
 * await paced("https://api.example.com/a")
 * await paced("https://api.example.com/b")
 * await paced("https://api.example.com/c").catch((error) => error.code) // "TIMEOUT_EXCEEDED"
 * ```
 */
export function pacedFetch(
  fetch: (request: Request) => Promise<Response> = (request) => globalThis.fetch(request),
  options: PacedFetchOptions = {},
): PacedFetch {
  requireFields("pace", { fetch }, { fetch: required(FUNCTION) })
  requireFields("pace", options, OPTION_KINDS)
  const { key = originOf, cost = () => 1, pacing = "burst", retries = 2, maxWaitMs = 60_000 } = options
  const lines = new BoundedMap<string, Line>(MAX_LINES)

  function lineOf(name: string): Line {
    const line = lines.get(name) ?? { pace: new Pace(pacing), last: Promise.resolve(), wake: () => {} }
    lines.set(name, line)
    return line
  }

  async function send(line: Line, request: Request, units: number, deadlineMs: number): Promise<Response> {
    const turn = line.last.then(() => passGate(line, units, request, deadlineMs, maxWaitMs))
    line.last = turn.catch(() => {})
    let flight: Flight
    try {
      flight = await untilAborted(turn, request.signal)
    } catch (error) {
      // Its turn may have come all the same, in the very moment.
      turn.then(
        (unsent) => {
          line.pace.recall(unsent)
          line.wake()
        },
        () => {},
      )
      throw error
    }
    let response: Response
    try {
      response = await fetch(request)
    } catch (error) {
      line.pace.lose(flight)
      line.wake()
      throw error
    }
    const nowMs = Date.now()
    line.pace.hear(flight, readQuotaFields(response.headers, nowMs), response.status, nowMs)
    line.wake()
    return response
  }

  return async function paced(input, init) {
    const request = new Request(input, init)
    const units = cost(request)
    requireWhole("pace", "cost", units, 0, MAX_UNITS)
    const line = lineOf(key(request))
    for (let left = retries; ; left--) {
      // A body can be read once, so what may be sent again is sent as a copy.
      const response = await send(line, left > 0 ? request.clone() : request, units, Date.now() + maxWaitMs)
      if (left === 0 || !isRefusal(response, request)) return response
      if (line.pace.waitMs(units, Date.now()) > maxWaitMs) return response
      await response.body?.cancel()
    }
  }
}

/** Waits until a request may go, and notes that it does. Those behind wait for this. */
async function passGate(
  line: Line,
  units: number,
  { signal, url }: Request,
  deadlineMs: number,
  maxWaitMs: number,
): Promise<Flight> {
  for (;;) {
    signal.throwIfAborted()
    const nowMs = Date.now()
    const waitMs = line.pace.waitMs(units, nowMs)
    if (waitMs === 0) return line.pace.send(units, nowMs)
    // Without an end in sight it waits for an answer, and knows more then.
    const isKnown = waitMs !== Number.POSITIVE_INFINITY
    if (nowMs > deadlineMs || (isKnown && nowMs + waitMs > deadlineMs)) {
      throw new TimeoutExceeded(url, maxWaitMs, isKnown ? Math.ceil(waitMs) : 0)
    }
    await sleep(isKnown ? waitMs : deadlineMs - nowMs + 1, signal, line)
  }
}

/** Sleeps, until an answer comes or the signal says so. A longer time than timers know is slept in parts. */
function sleep(ms: number, signal: AbortSignal, line: Line): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      line.wake = () => {}
      resolve()
    }
    const timer = setTimeout(end, Math.min(ms, MAX_TIMER_MS))
    signal.addEventListener("abort", end, { once: true })
    line.wake = end
  })
}

function isRefusal({ status, headers }: Response, { method }: Request): boolean {
  if (status === 429) return true
  return status === 503 && IDEMPOTENT.includes(method) && readRetryAfter(headers.get("Retry-After"), 0) !== null
}

function originOf({ url }: Request): string {
  return new URL(url).origin
}
