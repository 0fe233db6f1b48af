import { afterEach, describe, expect, test, vi } from "vitest"
import { type ClientAddressOptions, clientAddress } from "../../../src/http/keys/client-address.js"

function requestWith(headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/", { headers })
}

const SOCKET = { remoteAddress: "198.51.100.7" }

function keyOf(options: ClientAddressOptions, headers: Record<string, string>, ...rest: unknown[]) {
  return clientAddress(options)(requestWith(headers), ...rest)
}

describe("clientAddress() by the connection", () => {
  test.each([
    ["a ClientInfo", { remoteAddress: "192.0.2.1" }],
    ["Deno", { remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1234 } }],
    ["@hono/node-server", { incoming: { socket: { remoteAddress: "192.0.2.1" } } }],
    ["Bun", { requestIP: () => ({ address: "::ffff:192.0.2.1", family: "IPv6", port: 1234 }) }],
  ])("knows what %s gives", (_name, info) => {
    expect(keyOf({}, {}, info)).toBe("ip:192.0.2.1")
    expect(keyOf({}, {}, { other: "argument" }, null, 7, info)).toBe("ip:192.0.2.1")
  })

  test("asks Bun's server as its method, of this request", () => {
    const request = requestWith()
    const server = {
      address: "192.0.2.9",
      requestIP(this: { address: string }, asked: Request) {
        return asked === request ? { address: this.address } : null
      },
    }
    expect(clientAddress()(request, server)).toBe("ip:192.0.2.9")
  })

  test.each([
    ["no argument", []],
    ["env and ctx of a Worker", [{ LIMITER: {} }, { waitUntil() {} }]],
    ["a Unix socket", [{ remoteAddr: { transport: "unix", path: "/run/x" } }]],
    ["a closed connection", [{ requestIP: () => null }]],
    ["an empty ClientInfo", [{ remoteAddress: undefined }]],
    ["no address", [{ remoteAddress: "localhost" }]],
  ])("finds nothing in %s", (_name, rest) => {
    expect(keyOf({}, {}, ...rest)).toBeUndefined()
  })

  test("believes no header unless told to", () => {
    const headers = {
      "x-forwarded-for": "203.0.113.1",
      "cf-connecting-ip": "203.0.113.2",
      forwarded: "for=203.0.113.3",
    }
    expect(keyOf({}, headers, SOCKET)).toBe("ip:198.51.100.7")
    expect(keyOf({}, headers)).toBeUndefined()
  })
})

describe("clientAddress() by a header of the platform", () => {
  const options = { header: "CF-Connecting-IP" }

  test("takes its address before the connection's", () => {
    expect(keyOf(options, { "cf-connecting-ip": "203.0.113.2" }, SOCKET)).toBe("ip:203.0.113.2")
  })

  test.each(["", "garbage", "203.0.113.2, 203.0.113.3"])("passes over %j for the connection's", (value) => {
    expect(keyOf(options, { "cf-connecting-ip": value }, SOCKET)).toBe("ip:198.51.100.7")
    expect(keyOf(options, { "cf-connecting-ip": value })).toBeUndefined()
  })

  test("passes over an absent one", () => {
    expect(keyOf(options, {}, SOCKET)).toBe("ip:198.51.100.7")
  })
})

describe("clientAddress() by trusted hops", () => {
  const forged = { "x-forwarded-for": "6.6.6.6, 203.0.113.1,203.0.113.2 , 203.0.113.3" }

  test.each([
    [1, "ip:203.0.113.3"],
    [2, "ip:203.0.113.2"],
    [3, "ip:203.0.113.1"],
  ])("counts %s from the end, so that what the client sent does not matter", (trustedHops, key) => {
    expect(keyOf({ trustedHops }, forged, SOCKET)).toBe(key)
  })

  test("takes the connection's where there are fewer entries than hops, or the entry is no address", () => {
    expect(keyOf({ trustedHops: 5 }, forged, SOCKET)).toBe("ip:198.51.100.7")
    expect(keyOf({ trustedHops: 1 }, { "x-forwarded-for": "203.0.113.1, unknown" }, SOCKET)).toBe("ip:198.51.100.7")
    expect(keyOf({ trustedHops: 1 }, {}, SOCKET)).toBe("ip:198.51.100.7")
  })

  test("reads another header where told", () => {
    const headers = { ...forged, "x-real-path": "203.0.113.9" }
    expect(keyOf({ trustedHops: 1, header: "X-Real-Path" }, headers, SOCKET)).toBe("ip:203.0.113.9")
  })

  test("reads entries with ports and brackets", () => {
    expect(keyOf({ trustedHops: 1 }, { "x-forwarded-for": "203.0.113.1:5678" })).toBe("ip:203.0.113.1")
    expect(keyOf({ trustedHops: 1 }, { "x-forwarded-for": "[2001:db8::1]:443" })).toBe("ip:2001:db8::/56")
  })
})

test.each([{ header: "Forwarded" }, { header: "forwarded", trustedHops: 1 }])(
  "clientAddress() refuses a header whose addresses it cannot read: %o",
  (options) => {
    const allowed = "one of bare addresses, such as X-Forwarded-For with trustedHops"
    expect(() => clientAddress(options)).toThrow(
      new RangeError(`Cannot use clientAddress: header is "${options.header}", allowed is ${allowed}.`),
    )
  },
)

describe("clientAddress() with IPv6", () => {
  test("is one key for a /56 by default", () => {
    const first = keyOf({}, {}, { remoteAddress: "2001:db8:0:12ab::1" })
    expect(first).toBe("ip:2001:db8:0:1200::/56")
    expect(keyOf({}, {}, { remoteAddress: "2001:DB8:0:12ff:ffff::9" })).toBe(first)
    expect(keyOf({}, {}, { remoteAddress: "2001:db8:0:1300::1" })).not.toBe(first)
  })

  test("cuts where told", () => {
    expect(keyOf({ ipv6Prefix: 64 }, {}, { remoteAddress: "2001:db8:0:12ab::1" })).toBe("ip:2001:db8:0:12ab::/64")
  })
})

describe("clientAddress() in a Worker of Cloudflare", () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })
  const headers = { "CF-Connecting-IP": "192.0.2.9", "X-Own": "192.0.2.8" }

  test("believes CF-Connecting-IP unless told otherwise, and nowhere else", () => {
    expect(keyOf({}, headers, SOCKET)).toBe("ip:198.51.100.7")
    vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" })
    expect(keyOf({}, headers)).toBe("ip:192.0.2.9")
    expect(keyOf({ header: "X-Own" }, headers)).toBe("ip:192.0.2.8")
    expect(keyOf({}, {})).toBeUndefined()
  })
})

describe("clientAddress() refuses at construction", () => {
  test.each([
    { ipv6Prefix: 0 },
    { ipv6Prefix: 129 },
    { ipv6Prefix: 56.5 },
    { ipv6Prefix: Number.NaN },
    { trustedHops: 0 },
    { trustedHops: -1 },
    { trustedHops: 1.5 },
    { trustedHops: 33 },
    { header: "X-Forwarded-For" },
  ])("%j", (options) => {
    expect(() => clientAddress(options)).toThrow(RangeError)
  })
})
