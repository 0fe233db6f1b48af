import { cachedFor } from "../lib/cached-for.js"
import { RecentTexts } from "../lib/recent-texts.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import { EventStream } from "../metrics/event-stream.js"
import { Metrics } from "../metrics/metrics.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { show } from "../types/errors.js"
import type { Awaitable } from "../types/limiter.js"
import { jsonAnswer } from "./answers.js"
import type { ApiContext, DecisionHearer } from "./api-context.js"
import { type ApiAnswer, type ApiRequest, MAX_BODY_BYTES } from "./api-request.js"
import { type Gate, refuseOtherOrigins, requireLoopback, requireTokenText, tokenGate } from "./authorize.js"
import { readRequest } from "./fetch-request.js"
import { limitGauges } from "./limit-gauges.js"
import { TOLD_REMEMBERED } from "./note-told-again.js"
import { openApi } from "./open-api.js"
import { problemAnswer } from "./problem-answer.js"
import { RequestError } from "./request-error.js"
import type { Route } from "./route.js"
import { Router } from "./router.js"
import { ROUTES } from "./routes/index.js"
import { BODY, object } from "./schema.js"
import type { LimitStorage } from "./storage.js"
import type { DecidingLimit } from "./told-limit.js"

const NO_FIELDS = object({})

export interface ApiOptions {
  /** The limits that it serves. */
  readonly limits: NamedLimits
  /** What every request must bear, 16 or more printable ASCII characters without space; `null`: this machine alone. */
  readonly token: string | null
  /** The store behind the limits; default none. */
  readonly storage?: LimitStorage | null
  /** Default its own. */
  readonly metrics?: Metrics
  /** Default its own. */
  readonly events?: EventStream
  /** Where `reset_at` and the like are reckoned from; default the machine's clock. */
  readonly clock?: Clock
  /** What `/v1/health` tells: `version`, `storage`. */
  readonly about?: ApiContext["about"]
  /**
   * The names of limits and groups that a configuration gives, which `/metrics` and the limits' statuses tell: no keys.
   * Default none.
   */
  readonly givenNames?: ReadonlySet<string>
  /** How many limits a check of that name asks, which is more than one of a group; default 1. */
  readonly limitsAsked?: ApiContext["limitsAsked"]
  /** The names of limits that `limits` refuses to change or remove, which their statuses tell. Default none. */
  readonly fixedNames?: ReadonlySet<string>
  /**
   * Hears of each decision, beside the counts and the event stream. `null`: nobody hears of any here, since the limits
   * tell of them themselves. What it throws goes to `onError`: the decision stands, and is answered.
   */
  readonly onDecision?: DecisionHearer | null
  /** Told how many checks the store failed to decide; default counts them. What it throws goes to `onError`. */
  readonly onFailure?: ApiContext["onFailure"]
  /** The counts that `/metrics` and `/v1/totals` tell; default those of `metrics`. */
  readonly collect?: () => Awaitable<Metrics>
  /** How old what `/metrics` and `/v1/totals` tell may be, ms; default 0: it is counted for each request. */
  readonly keepCountsMs?: number
  /** Answers `/v1/events` where the stream is elsewhere. */
  readonly eventSource?: (request: ApiRequest) => Promise<Response>
  /**
   * Told of each request when it is answered: the endpoint's path without any key, `null` where there is none. What it
   * throws goes to `onError`.
   */
  readonly onAnswer?: (method: string, endpoint: string | null, status: number, seconds: number) => void
  /**
   * Told of what failed inside, and of each request that a damaged store could not answer; must not throw. Default the
   * console.
   */
  readonly onError?: (error: unknown) => void
}

/** The API: for servers that speak `Request` and `Response`, and for those that have the parts of a request at hand. */
export interface Api {
  /** @param address that of the connection, where it is known */
  fetch(request: Request, address?: string | null): Promise<Response>
  /** Never rejects. The answer to a HEAD has the body that a GET's has, which is not to be sent. */
  handle(request: ApiRequest): Promise<ApiAnswer>
  readonly metrics: Metrics
  readonly events: EventStream
}

/**
 * The /v1 API over named limits, as one handler.
 *
 * @throws {RangeError} where the token is too short or has other characters
 */
export function createApi(options: ApiOptions): Api {
  const { limits, token, storage = null, clock = systemClock, about = {}, onError = console.error } = options
  const { metrics = new Metrics(), events = new EventStream({ onError }) } = options
  const { collect = () => metrics, keepCountsMs = 0, eventSource = null, onDecision } = options
  const {
    givenNames = new Set(),
    fixedNames = new Set(),
    limitsAsked = () => 1,
    onFailure = (checks: number) => metrics.failed(checks),
  } = options
  const startedAtMs = clock.now()
  let document: ApiAnswer | null = null
  const context: ApiContext = {
    limits,
    storage,
    metrics,
    events,
    eventSource,
    clock,
    about,
    startedAtMs,
    givenNames,
    fixedNames,
    limitsAsked,
    recent: new RecentTexts(TOLD_REMEMBERED),
    tellDecision: onDecision === null ? null : tell,
    onFailure: guarded(onFailure),
    collect: cachedFor(async () => ({ atMs: clock.now(), metrics: await collect() }), keepCountsMs, clock),
    limitGauges: cachedFor(() => limitGauges({ limits, clock, givenNames }, metrics), keepCountsMs, clock),
    document() {
      document ??= jsonAnswer(openApi(ROUTES, about.version ?? "0"))
      return document
    },
  }
  const pass = token === null ? requireLoopback : gateOf(token)
  const router = new Router(ROUTES)

  function gateOf(wanted: string): Gate {
    requireTokenText(wanted)
    return tokenGate(wanted, { clock, onRefusal: (why) => metrics.loginRefused(why) })
  }

  function count(decision: Decision, { name, label }: DecidingLimit, seconds: number, nowMs: number): void {
    metrics.decided(decision, label, seconds)
    if (decision.cost > 0) events.push(decision, name, nowMs)
  }

  const hearers = [count, ...(onDecision ? [onDecision] : [])].map(guarded)

  function tell(...told: Parameters<DecisionHearer>): void {
    for (const hear of hearers) hear(...told)
  }

  /** Whoever hears of what was decided cannot change what is answered. */
  function guarded<Told extends unknown[]>(hear: (...told: Told) => void): (...told: Told) => void {
    return (...told) => {
      try {
        hear(...told)
      } catch (error) {
        onError(error)
      }
    }
  }

  const onAnswer = options.onAnswer && guarded(options.onAnswer)
  const handle = onAnswer === undefined ? answer : answerAndTell

  async function answerAndTell(request: ApiRequest): Promise<ApiAnswer> {
    const startedMs = performance.now()
    const answered = await answer(request)
    const endpoint = router.endpointOf(request.path)
    onAnswer!(request.method, endpoint, answered.status, (performance.now() - startedMs) / 1000)
    return answered
  }

  async function answer(request: ApiRequest): Promise<ApiAnswer> {
    try {
      refuseOtherOrigins(request)
      pass(request)
      const { route, key } = router.find(request.method, request.path)
      const query = readQuery(route, request.query)
      let body: unknown
      if (route.method === "POST") {
        if (route.body !== undefined) requireJson(request)
        const text = request.body(MAX_BODY_BYTES)
        // What is there already is not waited for.
        body = readBody(route, request, typeof text === "string" ? text : await text)
      }
      return await route.handle(context, { body, query, key, request })
    } catch (error) {
      const answer = problemAnswer(error)
      if (answer.status === 500) onError(error)
      return answer
    }
  }

  return {
    handle,
    metrics,
    events,
    async fetch(request, address = null) {
      const { status, headers, body } = await handle(readRequest(request, address))
      if (request.method !== "HEAD") return new Response(body as BodyInit | null, { status, headers })
      if (body instanceof ReadableStream) await body.cancel()
      return new Response(null, { status, headers })
    },
  }
}

/** The body that a route takes. Where it takes none, one that is there may say nothing. */
function readBody(route: Route, request: ApiRequest, text: string): unknown {
  if (route.body !== undefined) return route.body.read(parseJson(text), BODY)
  if (text === "") return undefined
  requireJson(request)
  return NO_FIELDS.read(parseJson(text), BODY)
}

/** @throws {RequestError} 415 where the body is said to be something else than JSON, or to be encoded */
function requireJson(request: ApiRequest): void {
  const coding = request.header("content-encoding")
  if (coding !== null && !/^(identity)?$/i.test(coding)) {
    throw new RequestError(
      415,
      `Cannot read the request: its Content-Encoding is ${show(coding)}, allowed is none.`,
      // RFC 9110, section 15.5.16.
      { "Accept-Encoding": "identity" },
    )
  }
  const type = request.header("content-type")
  if (type === null || /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) return
  throw new RequestError(
    415,
    `Cannot read the request: its Content-Type is ${show(type)}, allowed is application/json.`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new RequestError(400, "Cannot read the request: the body is no JSON.")
  }
}

function readQuery(route: Route, text: string): unknown {
  if (route.query === undefined) {
    if (text === "") return {}
    throw new RequestError(400, "Cannot read the request: no query is allowed here.")
  }
  const fields: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in fields) throw new RequestError(400, "Cannot read the request: a field of the query comes twice.")
    fields[name] = value
  }
  return route.query.read(fields, "the query")
}
