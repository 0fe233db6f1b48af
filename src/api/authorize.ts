import { networkText, parseIpAddress } from "../http/keys/ip-address.js"
import { RateLimiter } from "../limiter/rate-limiter.js"
import type { Clock } from "../types/clock.js"
import type { ApiRequest } from "./api-request.js"
import { RequestError } from "./request-error.js"

/** The most wrong tokens from one address or, of IPv6, one network: a client there has addresses without end. */
const LOGIN_POLICY = "10/minute as login"
/** How many addresses that have logged in are remembered, the longest unseen forgotten first. */
const MOST_TRUSTED = 10_000
const UNKNOWN_ADDRESS = "unknown"
/** What one client of IPv6 may have, in bits. */
const IPV6_PREFIX = 56
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** What a proxy adds to the requests of others. */
const PROXY_FIELDS = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"]

/** @throws {RequestError} where a request may not pass */
export type Gate = (request: ApiRequest) => void

interface TokenGateOptions {
  readonly clock: Clock
  /** Told of each wrong or missing token. */
  readonly onRefusal: () => void
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
 * minute from one address (of IPv6, one /56) and its next ones are not looked at, right or wrong, until a minute's tenth
 * has passed; requests without one are refused and not counted. An address from which the token was seen goes on being
 * served, so that nobody locks out others behind the same address.
 *
 * @throws {RequestError} 401 without the token, 429 after too many wrong ones
 */
export function requireToken(token: string, { clock, onRefusal }: TokenGateOptions): Gate {
  const failures = new RateLimiter(LOGIN_POLICY, { clock, maxKeys: 10_000 })
  const trusted = new Map<string, true>()
  return function tokenGate(request) {
    const address = request.address ?? UNKNOWN_ADDRESS
    const isTrusted = trusted.has(address)
    if (!isTrusted) {
      const { allowed, retryAfterMs } = failures.peek(networkOf(address))
      if (!allowed) throw tooMany(retryAfterMs)
    }
    const authorization = request.header("authorization")
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? "")?.[1]
    if (given !== undefined && isToken(given, token)) {
      trust(trusted, address)
      return
    }
    onRefusal()
    // Who sends none guesses none: a page asks once to hear whether it needs one.
    if (authorization !== null) {
      const { allowed, retryAfterMs } = failures.check(networkOf(address))
      if (!allowed) throw tooMany(retryAfterMs)
    }
    throw new RequestError(401, "Cannot serve the request: allowed is one with Authorization: Bearer and the token.", {
      "WWW-Authenticate":
        given === undefined ? 'Bearer realm="sluice"' : 'Bearer realm="sluice", error="invalid_token"',
    })
  }
}

/**
 * Lets requests pass from this machine, where no token is set. A page in a browser of this machine must not: a name that
 * an attacker's server resolves to the loopback address is refused by its Host. Nor must those behind a proxy on this
 * machine, whose connections all come from here: it is known by the fields that proxies add.
 */
export const requireLoopback: Gate = (request) => {
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

/** Refuses requests that a page of another origin makes. */
export function refuseOtherOrigins(request: ApiRequest): void {
  const origin = request.header("origin")
  const site = request.header("sec-fetch-site")
  const isOther =
    origin !== null ? origin === "null" || hostOf(origin) !== request.header("host") : site === "cross-site"
  if (isOther) throw new RequestError(403, "Cannot serve the request: pages of another origin are not allowed.")
}

function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/]+)$/.exec(origin)?.[1] ?? null
}

function networkOf(address: string): string {
  const parsed = parseIpAddress(address)
  return parsed === undefined ? address : networkText(parsed, IPV6_PREFIX)
}

function trust(trusted: Map<string, true>, address: string): void {
  // Behind all others, so that the first is the one that was not seen for longest.
  trusted.delete(address)
  if (trusted.size >= MOST_TRUSTED) trusted.delete(trusted.keys().next().value!)
  trusted.set(address, true)
}

function tooMany(retryAfterMs: number): RequestError {
  return new RequestError(429, "Cannot serve the request: too many wrong tokens came from this address.", {
    "Retry-After": String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
  })
}

/** As many steps for any text that is given, wherever it differs. */
function isToken(given: string, token: string): boolean {
  let difference = given.length ^ token.length
  for (let at = 0; at < token.length; at++) difference |= given.charCodeAt(at) ^ token.charCodeAt(at)
  return difference === 0
}
