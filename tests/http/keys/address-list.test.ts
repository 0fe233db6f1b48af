import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { addressList } from "../../../src/http/keys/address-list.js"
import { parseIpAddress } from "../../../src/http/keys/ip-address.js"

const holds = (networks: string[], address: string) =>
  addressList("allow.addresses", networks)(parseIpAddress(address)!)

describe("addressList()", () => {
  test.each([
    ["192.0.2.0/24", "192.0.2.0", true],
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.4/30", "192.0.2.7", true],
    ["192.0.2.4/30", "192.0.2.8", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::1", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["::ffff:192.0.2.1", "192.0.2.1", true],
    ["::ffff:192.0.2.0/120", "192.0.2.255", true],
    ["::ffff:192.0.2.0/120", "192.0.3.0", false],
    ["::ffff:128.0.0.0/97", "::ffff:203.0.113.9", true],
    ["::ffff:128.0.0.0/97", "::1", false],
    ["192.0.2.0/24", "64:ff9b::192.0.2.9", true],
    ["192.0.2.0/24", "::ffff:0:192.0.2.9", true],
    ["192.0.2.0/24", "64:ff9b:1::192.0.2.9", false],
    ["64:ff9b::192.0.2.0/120", "192.0.2.255", true],
    ["64:ff9b::192.0.2.0/120", "64:ff9b::192.0.3.0", false],
    ["64:ff9b:1::/48", "64:ff9b:1::192.0.2.9", true],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["2001:db8:0:8000::/49", "2001:db8:0:8001::1", true],
    ["2001:db8:0:8000::/49", "2001:db8:0:7fff::1", false],
    ["2001:DB8::1", "2001:db8:0:0::1", true],
    ["::/0", "2001:db8::1", true],
    ["::/0", "192.0.2.1", false],
  ])("%s holds %s: %s", (network, address, isHeld) => {
    expect(holds([network], address)).toBe(isHeld)
  })

  test("of several networks looks at each", () => {
    const networks = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]
    for (const address of ["192.0.2.9", "198.51.100.7", "2001:db8::9"]) expect(holds(networks, address)).toBe(true)
    for (const address of ["198.51.100.8", "2001:db9::9"]) expect(holds(networks, address)).toBe(false)
    expect(holds([], "192.0.2.9")).toBe(false)
  })

  test("agrees with arithmetic on 32 bits", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.integer({ min: 0, max: 32 }), (one, other, prefix) => {
        const text = (bits: bigint) => [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join(".")
        const cut = (bits: number) => (BigInt(bits) >> BigInt(32 - prefix)) << BigInt(32 - prefix)
        const expected = cut(one) === cut(other)
        return holds([`${text(cut(one))}/${prefix}`], text(BigInt(other))) === expected
      }),
    )
  })

  test.each([
    "192.0.2.1/24",
    "192.0.2.0/33",
    "2001:db8::1/32",
    "::/129",
    "192.0.2",
    "",
    "example.com",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "::ffff:10.0.0.0/8",
    "::ffff:0:0/95",
    // Who lists a translator's network hardly means all of IPv4.
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b::/64",
    "::ffff:0:0:0/96",
    "::ffff:0:0:0/64",
    "10.0.0.1:80",
    "[2001:db8::1]",
    "fe80::1%eth0",
  ])("refuses %j by its place", (text) => {
    expect(() => addressList("deny.addresses", ["192.0.2.1", text])).toThrow(RangeError)
    expect(() => addressList("deny.addresses", ["192.0.2.1", text])).toThrow("deny.addresses[1]")
  })

  test("names the form for all of IPv4 where it is written as IPv6", () => {
    const allowed = "an address, or a network such as 192.0.2.0/24, 2001:db8::/32, or 0.0.0.0/0 for all of IPv4"
    expect(() => addressList("allow.addresses", ["64:ff9b::/96"])).toThrow(
      new RangeError(`Cannot rate limit: allow.addresses[0] is "64:ff9b::/96", allowed is ${allowed}.`),
    )
  })
})
