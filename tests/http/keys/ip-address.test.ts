import { isIPv6 } from "node:net"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { networkText, parseIpAddress } from "../../../src/http/keys/ip-address.js"

function canonical(text: string, ipv6Prefix = 128): string | undefined {
  const address = parseIpAddress(text)
  return address && networkText(address, ipv6Prefix)
}

describe("parseIpAddress()", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    [" 192.0.2.1 ", "192.0.2.1"],
    ["192.0.2.1:8080", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["[::ffff:192.0.2.1]:443", "192.0.2.1"],
    ["::", "::/128"],
    ["::1", "::1/128"],
    ["1::", "1::/128"],
    ["2001:DB8::00Ab", "2001:db8::ab/128"],
    ["[2001:db8::1]", "2001:db8::1/128"],
    ["[2001:db8::1]:443", "2001:db8::1/128"],
    ["fe80::1%eth0", "fe80::1/128"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1/128"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1/128"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1/128"],
    ["64:ff9b::192.0.2.1", "192.0.2.1"],
    ["64:FF9B:0:0:0:0:c000:201", "192.0.2.1"],
    ["::ffff:0:192.0.2.1", "192.0.2.1"],
    ["64:ff9b:1::192.0.2.1", "64:ff9b:1::c000:201/128"],
    ["64:ff9b:0:0:1::192.0.2.1", "64:ff9b::1:0:c000:201/128"],
    ["::192.0.2.1", "::c000:201/128"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"],
  ])("reads %s as %s", (text, network) => {
    expect(canonical(text)).toBe(network)
  })

  test.each([
    "",
    " ",
    "unknown",
    "_hidden",
    "192.0.2",
    "192.0.2.1.1",
    "192.0.2.256",
    "192.0.2.01",
    "0xc0.0.2.1",
    "3221225985",
    "192.0.2.-1",
    "192.0.2.1:",
    "192.0.2.1:123456",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1::",
    ":::",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "12345::",
    "::g",
    "::1.2.3",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::192.0.2.256",
    "[::1",
    "::1]",
    "[::1]443",
    "[192.0.2.1",
    "a,b",
    ":".repeat(10_000),
    "1:".repeat(10_000),
  ])("refuses %s", (text) => {
    expect(parseIpAddress(text)).toBeUndefined()
  })

  test("takes an IPv6 address exactly where the platform does, and writes what reads back the same", () => {
    const group = fc.stringMatching(/^[0-9a-fA-F]{0,5}$/)
    const text = fc.array(group, { minLength: 1, maxLength: 10 }).map((groups) => groups.join(":"))
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), text), (address) => {
        const network = canonical(address)
        expect(network !== undefined).toBe(isIPv6(address))
        if (network?.endsWith("/128")) {
          const written = network.slice(0, -4)
          expect(isIPv6(written)).toBe(true)
          expect(canonical(written)).toBe(network)
          expect(new URL(`http://[${address}]/`).hostname).toBe(`[${written}]`)
        }
      }),
    )
  })

  test("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789abf:.[]%, ") }), (text) => {
        parseIpAddress(text)
      }),
    )
  })
})

describe("networkText()", () => {
  const FULL = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
  test.each([
    [1, "8000::/1"],
    [16, "ffff::/16"],
    [17, "ffff:8000::/17"],
    [48, "ffff:ffff:ffff::/48"],
    [56, "ffff:ffff:ffff:ff00::/56"],
    [64, "ffff:ffff:ffff:ffff::/64"],
    [127, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"],
    [128, `${FULL}/128`],
  ])("cuts IPv6 to %s bits", (bits, network) => {
    expect(canonical(FULL, bits)).toBe(network)
  })

  test("leaves IPv4 whole", () => {
    expect(canonical("192.0.2.255", 1)).toBe("192.0.2.255")
  })
})
