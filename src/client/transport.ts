import { parseUrl } from "../lib/parse-url.js"
import { sleep } from "../lib/sleep.js"
import { untilAborted } from "../lib/until-aborted.js"
import { MAX_TIMER_MS } from "../policy/policy-range.js"
import { FUNCTION, type Kinds, requireFields, TEXT, whole } from "../policy/require-fields.js"
import { StoreUnavailable, show } from "../types/errors.js"
import { chunks } from "./chunks.js"
import { errorOfProblem } from "./error-of-problem.js"
import { readRetryAfter } from "./quota-fields.js"

export interface TransportOptions {
  /** What the server was given with `--token`; default none. */
  readonly token?: string | undefined
  /** How long a call may take with all its retries, in ms, 1 … 2^31 − 1; default 5000. */
  readonly timeoutMs?: number | undefined
  /** How often a call that can be repeated harmlessly is tried again after a failure, 0 … 10; default 2. */
  readonly retries?: number | undefined
  /** The wait before the first retry, in ms; it doubles with each and is spread by half. Default 50. */
  readonly retryDelayMs?: number | undefined
  /**
   * What makes requests; default the runtime's `fetch`. A call ends in its time also where this does not heed the
   * `signal`, but its request is left open then. A body may be another stream than the web's, except that of
   * `events()`.
   */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
}

const OPTION_KINDS: Kinds<TransportOptions> = {
  token: TEXT,
  timeoutMs: whole(1, MAX_TIMER_MS),
  retries: whole(0, 10),
  retryDelayMs: whole(0, 60_000),
  fetch: FUNCTION,
}

/** One request. */
export interface Sending {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly body?: unknown
  /** Whether doing it twice is as good as doing it once. */
  readonly repeatable: boolean
  readonly signal?: AbortSignal | undefined
}

/** An answer that may be a page of a listing. */
export interface AnsweredPage {
  readonly value: unknown
  /** The last entry that was looked at, where a page follows that begins after it; else `null`. */
  readonly nextAfter: string | null
}

/**
 * The longest answer that is read, in bytes: a page of 1,000 limits, each of eight rules with long names, is shorter.
 */
const MAX_BYTES = 33_554_432

/** Statuses of a server, or a proxy before it, that is not there for the moment. */
const PASSING = [502, 503, 504]

/**
 * Sends requests to a server of the /v1 API, and makes values or errors of its answers. A redirect is not followed: it
 * would take the token along.
 */
export class Transport {
  readonly #base: string
  readonly #origin: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #timeoutMs: number
  readonly #retries: number
  readonly #retryDelayMs: number
  readonly #fetch: NonNullable<TransportOptions["fetch"]>

  /** @throws {RangeError} where the URL is none, or an option is out of its range */
  constructor(url: string | URL, options: TransportOptions) {
    requireFields("make a client", options, OPTION_KINDS)
    const { token, timeoutMs = 5_000, retries = 2, retryDelayMs = 50, fetch = globalThis.fetch } = options
    const base = readBase(url)
    if (token !== undefined) requireToken(token)
    this.#base = base.href.replace(/\/+$/, "")
    this.#origin = base.origin
    this.#headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    this.#timeoutMs = timeoutMs
    this.#retries = retries
    this.#retryDelayMs = retryDelayMs
    // Called as a plain function: a runtime's own refuses to be called as a method of something else.
    this.#fetch = (input, init) => fetch(input, init)
  }

  /**
   * Sends a request and reads the answer.
   *
   * @throws the error that the server told; {StoreUnavailable} where it did not answer; the signal's reason where that
   * was aborted
   */
  async send(sending: Sending): Promise<unknown> {
    return (await this.sendForPage(sending)).value
  }

  /** As `send`, and tells what the server says of the page after. */
  async sendForPage(sending: Sending): Promise<AnsweredPage> {
    const { signal, repeatable } = sending
    signal?.throwIfAborted()
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
    const endMs = performance.now() + this.#timeoutMs
    for (let attempt = 0; ; attempt++) {
      const isLast = !repeatable || attempt >= this.#retries
      let delayMs = this.#delayMs(attempt)
      try {
        const response = await untilAborted(this.#request(sending, either), either)
        if (isLast || !PASSING.includes(response.status)) return await this.#read(response, either)
        delayMs += readRetryAfter(response.headers.get("Retry-After"), Date.now()) ?? 0
        // Asked again before the server wants it, or after nobody waits any more, it would be for nothing.
        if (performance.now() + delayMs >= endMs) return await this.#read(response, either)
        await untilAborted(Promise.resolve(response.body?.cancel()), either)
      } catch (error) {
        signal?.throwIfAborted()
        if (timeout.aborted) {
          throw this.#silence(` within ${this.#timeoutMs} ms`, error)
        }
        // What `read` made of an answer is the answer.
        if (!(error instanceof TypeError)) throw error
        if (isLast) throw this.#silence(`: ${reasonOf(error)}`, error)
      }
      await sleep(delayMs, either)
    }
  }

  /** Opens a stream, whose end nobody knows: only the signal ends it. @throws as `send` */
  async open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    const asked = { headers: { ...this.#headers, ...headers }, redirect: "manual", signal } as const
    const response = await this.#fetch(this.#base + path, asked).catch((error: unknown) => {
      throw error instanceof TypeError ? this.#silence(`: ${reasonOf(error)}`, error) : error
    })
    if (!response.ok) await this.#read(response, signal)
    if (!/^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "")) {
      await response.body?.cancel()
      throw this.foreignAnswer(response.status, "no stream of events")
    }
    return response
  }

  async #read(response: Response, signal: AbortSignal): Promise<AnsweredPage> {
    const text = await readText(response, signal)
    if (text === null) throw this.foreignAnswer(response.status, `longer than ${MAX_BYTES} bytes`)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      value = undefined
    }
    if (response.ok && value !== undefined) return { value, nextAfter: nextAfter(response.headers.get("link")) }
    const problem = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
    const what = value === undefined ? "no JSON" : "JSON without a detail"
    throw errorOfProblem(
      response.status,
      problem,
      response.headers.get("retry-after"),
      this.#foreignText(response.status, what),
    )
  }

  /** The error of an answer that is not of sluice, but of another server or of a proxy before it. */
  foreignAnswer(status: number, what: string): Error {
    return errorOfProblem(status, {}, null, this.#foreignText(status, what))
  }

  /** What it is told as. */
  #foreignText(status: number, what: string): string {
    return `Cannot use the answer of ${this.#base}: its status is ${status} and it is ${what}, allowed is an answer of sluice's API.`
  }

  #silence(how: string, cause: unknown): StoreUnavailable {
    return new StoreUnavailable(`the server ${this.#origin} did not answer${how}`, { cause })
  }

  #request({ method, path, body }: Sending, signal: AbortSignal): Promise<Response> {
    return this.#fetch(this.#base + path, {
      method,
      signal,
      headers: body === undefined ? this.#headers : { ...this.#headers, "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "manual",
    })
  }

  /** Half the delay for sure and half by chance, so that many callers do not come back together. */
  #delayMs(attempt: number): number {
    return this.#retryDelayMs * 2 ** attempt * (0.5 + Math.random() / 2)
  }
}

/** @throws {RangeError} that does not show it: it is a secret */
function requireToken(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return
  const found = token === "" ? 'is ""' : "has other characters"
  throw new RangeError(`Cannot make a client: token ${found}, allowed is printable ASCII without space, not empty.`)
}

/** The text of an answer, `null` where it is longer than any rightful one. */
async function readText(response: Response, signal: AbortSignal): Promise<string | null> {
  // A runtime without streams has no other way to read it, nor has a `fetch` whose bodies are streams of another kind.
  if (typeof response.body?.getReader !== "function") return untilAborted(response.text(), signal)
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  for await (const chunk of chunks(response.body, (part) => untilAborted(part, signal))) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) return null
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** A line of OpenSSL's queue of errors: thread, code, library, function, reason, file and line. */
const OPENSSL = /^[\dA-F]+:error:[\dA-F]+:[^:]*:[^:]*:(?<handshake>[^:]+):/i

/** Why a fetch failed: runtimes tell it as the cause, if at all, and that of several addresses only has a code. */
function reasonOf({ message, cause }: TypeError): string {
  const { message: why, code } = (cause ?? {}) as { message?: unknown; code?: unknown }
  const reason = String(why || code || message)
  const { handshake } = OPENSSL.exec(reason)?.groups ?? {}
  return handshake === undefined ? reason.trim().replace(/\.$/, "") : `the TLS handshake failed, ${handshake}`
}

/** The `after` of the next page that a Link field leads to (RFC 8288). */
function nextAfter(link: string | null): string | null {
  const query = /<[^<>?]*\?([^<>]*)>; *rel="?next\b/.exec(link ?? "")?.[1]
  return query === undefined ? null : new URLSearchParams(query).get("after")
}

/** @throws {RangeError} where it is no URL that a client can have */
function readBase(url: string | URL): URL {
  const base = parseUrl(String(url))
  if (base !== null && /^https?:$/.test(base.protocol) && base.username + base.password + base.search === "")
    return base
  const shown = show(base === null || base.host === "" ? unparsed(url) : withoutSecrets(base))
  // They are not shown, and without them it may well be one that is allowed.
  const hidden = [
    ...(base !== null && base.username + base.password !== "" ? ["credentials"] : []),
    ...(base !== null && base.search !== "" ? ["a query"] : []),
  ]
  const had = hidden.length === 0 ? "" : ` with ${hidden.join(" and ")}`
  throw new RangeError(
    `Cannot make a client: url is ${shown}${had}, allowed is an http or https URL without credentials and query.`,
  )
}

function withoutSecrets({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`
}

/** What is no URL, or one without a host as `localhost:8080` is, as it was given, unless it could hold credentials. */
function unparsed(text: string | URL): string {
  return /[@?]/.test(String(text)) ? "no URL" : String(text)
}
