import { isOnWorkers } from "../../limiter/on-workers.js"
import { type Kinds, requireFields, unfit, whole } from "../../policy/require-fields.js"
import { type IpAddress, networkText, parseIpAddress } from "./ip-address.js"
import type { KeyExtractor } from "./key-extractor.js"
import { socketAddress } from "./socket-address.js"
import { HEADER_NAME } from "./token.js"

/** Where the client's address is to be believed from. */
export interface ClientAddressOptions {
  /**
   * A header that holds the address, because the platform sets it on every request whatever the client sent, such as
   * `CF-Connecting-IP` behind Cloudflare. With `trustedHops`, the header that the proxies append to, default
   * `X-Forwarded-For`. Without either, headers are not believed, but for `CF-Connecting-IP` in a Worker of Cloudflare,
   * which has no connection to look at. `Forwarded` of RFC 7239 is refused: its syntax is not read.
   */
  readonly header?: string | undefined
  /**
   * How many proxies of your own a request passes, each of which appends the address it saw; a whole number 1 … 32. The
   * client is the entry that the outermost of them appended: the one at this place from the end. What stands before it
   * was sent by the client and may be anything.
   */
  readonly trustedHops?: number | undefined
  /**
   * Bits of an IPv6 address that make one client, 1 … 128; default 56, what a household or a site is usually given.
   * With more, a client has as many keys as it cares to number its machines.
   */
  readonly ipv6Prefix?: number | undefined
}

const ADDRESS_KINDS: Kinds<ClientAddressOptions> = {
  header: HEADER_NAME,
  trustedHops: whole(1, 32),
  ipv6Prefix: whole(1, 128),
}
const FORWARDED_FOR = "x-forwarded-for"
/** Where Cloudflare tells the client's address. */
export const CLOUDFLARE_ADDRESS = "CF-Connecting-IP"

/**
 * Limits by the client's address. The key is `ip:` and the IPv4 address, or the IPv6 network in canonical form:
 * `ip:192.0.2.1`, `ip:2001:db8:0:1200::/56`. An IPv4 address within an IPv6 one, as servers and translators
 * (NAT64, SIIT) write it, is the IPv4 address.
 *
 * A header that is absent, or does not hold a valid address where it should, is passed over for the address of the
 * connection, which nobody can make up. Where that is unknown as well, the request has no key of its own and shares
 * `UNIDENTIFIED_KEY`.
 *
 * @throws {RangeError} at construction, where an option is out of its range
 * @example
 * ```ts
 * import { clientAddress, rateLimit } from "sluice/http"
 *
 * const handler = () => new Response("ok")
 * // One load balancer in front, which appends to X-Forwarded-For.
 * rateLimit(handler, { policy: "100/minute", key: clientAddress({ trustedHops: 1 }) })
 * ```
 */
export function clientAddress(options: ClientAddressOptions = {}): KeyExtractor {
  const addressOf = findClientAddress(options)
  const { ipv6Prefix } = options
  return function clientAddressKey(request, ...rest) {
    const address = addressOf(request, rest)
    return address && `ip:${networkText(address, ipv6Prefix)}`
  }
}

/**
 * The client's address, wherever the options say that it is to be believed from.
 *
 * @throws {RangeError} at construction, where an option is out of its range
 */
export function findClientAddress(
  options: ClientAddressOptions,
): (request: Request, rest: readonly unknown[]) => IpAddress | undefined {
  requireFields("use clientAddress", options, ADDRESS_KINDS)
  const { header, trustedHops } = options
  // RFC 7239 wraps addresses in a syntax of its own, where none would be found: all clients would share their proxy's
  // key.
  if (header?.toLowerCase() === "forwarded") {
    throw unfit(
      "use clientAddress",
      "header",
      header,
      "one of bare addresses, such as X-Forwarded-For with trustedHops",
    )
  }
  if (header?.toLowerCase() === FORWARDED_FOR && trustedHops === undefined) {
    throw new RangeError("Cannot use clientAddress: header X-Forwarded-For needs trustedHops, its client may forge it.")
  }

  function claimed(headers: Headers): string | null | undefined {
    if (trustedHops !== undefined) {
      const hops = headers.get(header ?? FORWARDED_FOR)
      return hops?.split(",").at(-trustedHops)
    }
    // Cloudflare sets its header on every request to a Worker, whatever the client sent.
    const believed = header ?? (isOnWorkers() ? CLOUDFLARE_ADDRESS : undefined)
    return believed && headers.get(believed)
  }

  return (request, rest) => parse(claimed(request.headers)) ?? parse(socketAddress(request, rest))
}

function parse(text: string | null | undefined): IpAddress | undefined {
  return text ? parseIpAddress(text) : undefined
}
