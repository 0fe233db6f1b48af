/** An IP address: IPv4 in dotted form, or the eight 16-bit groups of IPv6. */
export type IpAddress =
  | { readonly version: 4; readonly text: string }
  | { readonly version: 6; readonly groups: readonly number[] }

/** Bits of an IPv6 address that a household or a site is usually given. */
const SITE_PREFIX = 56
const GROUPS = 8
const GROUP_BITS = 16
/**
 * The first six groups of addresses whose last two are an IPv4 address: mapped ones (RFC 4291), and those that
 * translators give to IPv4 clients, SIIT (RFC 2765) and NAT64 (RFC 6052). The prefix of RFC 8215, 64:ff9b:1::/48, is
 * not among them: where the IPv4 address stands in it is each network's own affair.
 */
const IPV4_WITHIN = new Set(["0:0:0:0:0:ffff", "0:0:0:0:ffff:0", "64:ff9b:0:0:0:0"])

/**
 * Reads an address in any of its usual spellings: with a port, in brackets, with a zone. An IPv4 address in IPv6
 * clothes (`::ffff:192.0.2.1`, `64:ff9b::192.0.2.1`) is the IPv4 address. IPv4 with leading zeros is refused: some read
 * them as octal.
 *
 * @returns `undefined` for all else
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const bare = withoutPort(text.trim())
  if (!bare.includes(":")) {
    return parseIpv4(bare) === undefined ? undefined : { version: 4, text: bare }
  }
  const groups = parseIpv6(bare.replace(/%.*$/s, ""))
  if (groups === undefined) return undefined
  const network = groups.slice(0, 6).map((group) => group.toString(16))
  if (!IPV4_WITHIN.has(network.join(":"))) return { version: 6, groups }
  const [high, low] = [groups[6]!, groups[7]!]
  return { version: 4, text: [high >>> 8, high & 0xff, low >>> 8, low & 0xff].join(".") }
}

/**
 * The network of an address as text: IPv4 as it is, IPv6 cut to `ipv6Prefix` bits in the canonical form of RFC 5952,
 * such as `2001:db8:0:1200::/56`.
 *
 * @param ipv6Prefix 1 … 128; default 56
 */
export function networkText(address: IpAddress, ipv6Prefix = SITE_PREFIX): string {
  if (address.version === 4) return address.text
  const groups = address.groups.map((group, index) => {
    const bits = Math.min(Math.max(ipv6Prefix - index * GROUP_BITS, 0), GROUP_BITS)
    return group & (0xffff << (GROUP_BITS - bits))
  })
  return `${ipv6Text(groups)}/${ipv6Prefix}`
}

function withoutPort(text: string): string {
  const match = /^\[([^\]]*)\](?::\d{1,5})?$|^([\d.]+):\d{1,5}$/.exec(text)
  return match?.[1] ?? match?.[2] ?? text
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".")
  const isIpv4 = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  return isIpv4 ? parts.map(Number) : undefined
}

function parseIpv6(text: string): number[] | undefined {
  const [head, tail, ...more] = dottedTailToHex(text).split("::").map(parseGroups)
  if (head === undefined || more.length > 0) return undefined
  const isCompressed = text.includes("::")
  if (isCompressed && tail === undefined) return undefined
  const missing = GROUPS - head.length - (tail?.length ?? 0)
  if (isCompressed ? missing < 1 : missing !== 0) return undefined
  return [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])]
}

/** `::192.0.2.1` is `::c000:201`. A tail that is no IPv4 address stays, and fails as a group. */
function dottedTailToHex(text: string): string {
  const start = text.lastIndexOf(":") + 1
  const bytes = parseIpv4(text.slice(start))
  if (bytes === undefined) return text
  const [a, b, c, d] = bytes as [number, number, number, number]
  return `${text.slice(0, start)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return []
  const parts = text.split(":")
  const isHex = parts.every((part) => /^[\da-f]{1,4}$/i.test(part))
  return isHex ? parts.map((part) => Number.parseInt(part, 16)) : undefined
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function ipv6Text(groups: readonly number[]): string {
  let [start, length] = [0, 1]
  for (let at = 0; at < GROUPS; at++) {
    let end = at
    while (end < GROUPS && groups[end] === 0) end++
    if (end - at > length) [start, length] = [at, end - at]
  }
  const hex = groups.map((group) => group.toString(16))
  if (length === 1) return hex.join(":")
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`
}
