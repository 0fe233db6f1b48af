import { networkText, parseIpAddress } from "../http/keys/ip-address.js"
import { retryAfterSeconds } from "../http/retry-after.js"
import { RecentTexts } from "../lib/recent-texts.js"
import { RateLimiter } from "../limiter/rate-limiter.js"
import type { LoginRefusal } from "../metrics/metrics.js"
import type { Clock } from "../types/clock.js"
import type { ApiRequest } from "./api-request.js"
import { RequestError } from "./request-error.js"

/** The most wrong tokens from one address or, of IPv6, one network: a client there has addresses without end. */
const LOGIN_POLICY = "10/minute as login"
/** How many addresses that have logged in are remembered at least. */
const LEAST_TRUSTED = 10_000
/** How many wrong tokens are remembered at least: those of clients whose token was replaced. */
const LEAST_WRONG = 10_000
/** Up to which length a header field with a wrong token is: a token of 256 characters. */
const MAX_WRONG_LENGTH = "Bearer ".length + 256
const UNKNOWN_ADDRESS = "unknown"
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** What a proxy adds to the requests of others. */
const PROXY_FIELDS = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"]

/** @throws {RequestError} where a request may not pass */
export type Gate = (request: ApiRequest) => void

interface TokenGateOptions {
  readonly clock: Clock
  /** Told of each request that is refused for its token, but of those that are not looked at. */
  readonly onRefusal: (why: LoginRefusal) => void
}

/** Whether a host, as a URL has it, is a name or an address by which a machine reaches only itself. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

/** Whether a token is long enough and has only characters that a header field can hold. */
export function isTokenText(token: string): boolean {
  return /^[\x21-\x7e]{16,}$/.test(token)
}

/** @throws {RangeError} where a token is too short or has other characters; its length alone is told */
export function requireTokenText(token: string): void {
  if (isTokenText(token)) return
  throw new RangeError(
    `Cannot serve: the token has ${token.length} characters, allowed are 16 or more of printable ASCII without space.`,
  )
}

/**
 * Lets requests pass that carry the token.
 *
 * Tokens are compared over their whole length, so that the time tells nothing of where they differ. Ten wrong ones in a
 * minute from one address (of IPv6, one /56) and its next ones are not looked at, right or wrong, until a minute's
 * tenth has passed. What is no guess is refused and not counted: a request without one, and a token of up to 256
 * characters that was wrong from there before, so that a client which goes on with a token that was replaced locks out
 * nobody. An address from which the token was seen goes on being served, so that nobody locks out others behind the
 * same address: from there every token is compared, however many wrong ones came before.
 *
 * @throws {RequestError} 401 without the token, 429 after too many wrong ones
 */
export function tokenGate(token: string, { clock, onRefusal }: TokenGateOptions): Gate {
  // A clock that tells no time keeps nobody out.
  const failures = new RateLimiter(LOGIN_POLICY, { clock: { now: () => Math.max(0, clock.now()) }, maxKeys: 10_000 })
  const trusted = new RecentTexts(LEAST_TRUSTED)
  const wrong = new RecentTexts(LEAST_WRONG)
  return function requireToken(request) {
    const address = request.address ?? UNKNOWN_ADDRESS
    const authorization = request.header("authorization")
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? "")?.[1]
    if (trusted.has(address) && isRight(given)) {
      trusted.add(address)
      return
    }
    const network = networkOf(address)
    // Who sends none guesses none: a page asks once to hear whether it needs one.
    const guess = authorization === null ? null : `${network} ${authorization}`
    if (guess !== null && wrong.has(guess)) {
      wrong.add(guess)
      onRefusal("repeated")
      throw refused(given)
    }
    if (!trusted.has(address)) {
      const { allowed, retryAfterMs } = failures.peek(network)
      if (!allowed) throw tooMany(retryAfterMs)
      if (isRight(given)) {
        trusted.add(address)
        return
      }
    }
    onRefusal(guess === null ? "missing" : "wrong")
    if (guess !== null) {
      const { allowed, retryAfterMs } = failures.check(network)
      if (!allowed) throw tooMany(retryAfterMs)
      if (authorization!.length <= MAX_WRONG_LENGTH) wrong.add(guess)
    }
    throw refused(given)
  }

  function isRight(given: string | undefined): boolean {
    return given !== undefined && isToken(given, token)
  }

  function refused(given: string | undefined): RequestError {
    if (given !== undefined) {
      return new RequestError(401, "Cannot serve the request: its token is not the one of this server.", {
        "WWW-Authenticate": 'Bearer realm="sluice", error="invalid_token"',
      })
    }
    return new RequestError(401, "Cannot serve the request: allowed is one with Authorization: Bearer and the token.", {
      "WWW-Authenticate": 'Bearer realm="sluice"',
    })
  }
}

/**
 * Lets requests pass from this machine, where no token is set. A page in a browser of this machine must not: a name
 * that an attacker's server resolves to the loopback address is refused by its Host, and what a page elsewhere loads, a
 * picture say, by where it comes from: the page cannot read it, but have the whole log read for it. Nor must those
 * behind a proxy on this machine, whose connections all come from here: it is known by the fields that proxies add.
 */
export const requireLoopback: Gate = (request) => {
  if (isLoadedElsewhere(request)) throw otherOrigin()
  if (request.host === null || !isLoopback(request.host)) {
    throw new RequestError(403, "Cannot serve the request: without a token, allowed is only this machine.")
  }
  for (const field of PROXY_FIELDS) {
    if (request.header(field.toLowerCase()) === null) continue
    throw new RequestError(
      403,
      `Cannot serve the request: it has ${field}, so a proxy passed it on. Without a token, allowed is only this machine.`,
    )
  }
}

/**
 * Refuses requests with an `Origin` that a page of another origin makes. Browsers send it with all that may change
 * something, and with all whose answer the page would read. A link has none, and may lead here from anywhere.
 *
 * Browsers tell where a request comes from in `Sec-Fetch-Site` (Fetch Metadata), which no page can write and which
 * holds behind a proxy that names another Host. Over plain HTTP they tell it to this machine alone; then the page's
 * origin has to be the host that was asked.
 */
export function refuseOtherOrigins(request: ApiRequest): void {
  const origin = request.header("origin")
  if (origin === null) return
  const site = request.header("sec-fetch-site")
  if (site !== null ? isElsewhere(site) : hostOf(origin) !== request.header("host")) throw otherOrigin()
}

/** Whether a page of another origin makes a request by itself: it is none that the user followed a link for. */
function isLoadedElsewhere(request: ApiRequest): boolean {
  const isFollowed = request.header("sec-fetch-mode") === "navigate" && request.header("sec-fetch-dest") === "document"
  return isElsewhere(request.header("sec-fetch-site") ?? "none") && !isFollowed
}

function isElsewhere(site: string): boolean {
  return site !== "same-origin" && site !== "none"
}

function otherOrigin(): RequestError {
  return new RequestError(403, "Cannot serve the request: pages of another origin are not allowed.")
}

/** `undefined` where the origin is none that a page has which was served over HTTP: `null`, say. */
function hostOf(origin: string): string | undefined {
  return /^https?:\/\/([^/]+)$/.exec(origin)?.[1]
}

function networkOf(address: string): string {
  const parsed = parseIpAddress(address)
  return parsed === undefined ? address : networkText(parsed)
}

function tooMany(retryAfterMs: number): RequestError {
  return new RequestError(429, "Cannot serve the request: too many wrong tokens came from this address.", {
    "Retry-After": String(retryAfterSeconds(retryAfterMs)),
  })
}

/** As many steps for any text that is given, wherever it differs. */
function isToken(given: string, token: string): boolean {
  let difference = given.length ^ token.length
  for (let at = 0; at < token.length; at++) difference |= given.charCodeAt(at) ^ token.charCodeAt(at)
  return difference === 0
}
