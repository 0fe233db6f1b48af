import { show } from "../../types/errors.js"
import { type IpAddress, networkText, parseIpAddress } from "./ip-address.js"

const IPV4_BITS = 32
const IPV6_BITS = 128

/**
 * Addresses and networks, as a question whether an address is among them. A look costs one lookup for each different
 * length of prefix, however many networks there are.
 *
 * @param option what an error calls the list, such as `"deny.addresses"`
 * @param texts each an address (`192.0.2.1`, `2001:db8::1`) or a network (`192.0.2.0/24`, `2001:db8::/32`) whose bits
 * after the prefix are 0; an IPv4 one may be written as IPv6 (`::ffff:192.0.2.0/120`), but for all of IPv4
 * @throws {RangeError} naming the first that is neither
 */
export function addressList(option: string, texts: readonly string[]): (address: IpAddress) => boolean {
  const prefixes: Record<IpAddress["version"], Set<number>> = { 4: new Set(), 6: new Set() }
  const networks = new Set<string>()
  for (const [index, text] of texts.entries()) {
    const network = parseNetwork(text)
    if (network === undefined) {
      const allowed = "an address, or a network such as 192.0.2.0/24, 2001:db8::/32, or 0.0.0.0/0 for all of IPv4"
      throw new RangeError(`Cannot rate limit: ${option}[${index}] is ${show(text)}, allowed is ${allowed}.`)
    }
    prefixes[network.address.version].add(network.prefix)
    networks.add(maskedText(network.address, network.prefix))
  }
  return (address) => {
    for (const prefix of prefixes[address.version]) if (networks.has(maskedText(address, prefix))) return true
    return false
  }
}

function parseNetwork(text: unknown): { address: IpAddress; prefix: number } | undefined {
  const [, host, bits] = /^([\da-f:.]+)(?:\/(\d{1,3}))?$/i.exec(String(text)) ?? []
  // A port would say that the rest of the machine is meant otherwise.
  const address = host === undefined || /^\d+\.[\d.]*:/.test(host) ? undefined : parseIpAddress(host)
  if (address === undefined) return undefined
  const isWithin = isWithinIpv6(address, host!)
  const all = address.version === 4 ? IPV4_BITS : IPV6_BITS
  const prefix = bits === undefined ? all : Number(bits) - (isWithin ? IPV6_BITS - IPV4_BITS : 0)
  const isWhole =
    // Who lists the network of a translator hardly means all of IPv4, which its addresses stand for.
    prefix >= (isWithin ? 1 : 0) &&
    prefix <= all &&
    maskedText(address, prefix) === maskedText(address, all).replace(/\d+$/, `${prefix}`)
  return isWhole ? { address, prefix } : undefined
}

/** Whether an IPv4 address was written as an IPv6 one, whose prefix counts 96 bits more. */
function isWithinIpv6({ version }: IpAddress, host: string): boolean {
  return version === 4 && host.includes(":")
}

/** The network of an address, as a text that tells it from every other. */
function maskedText(address: IpAddress, prefix: number): string {
  if (address.version === 6) return networkText(address, prefix)
  const bytes = address.text.split(".").map((byte, index) => {
    const bits = Math.min(Math.max(prefix - index * 8, 0), 8)
    return Number(byte) & (0xff << (8 - bits))
  })
  return `${bytes.join(".")}/${prefix}`
}
