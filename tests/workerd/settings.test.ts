import { describe, expect, test } from "vitest"
import { SettingError } from "../../worker/setting-error.js"
import { readSettings } from "../../worker/settings.js"

const API = { name: "api", paths: ["/api"], policy: "10/minute" }

function errorOf(variables: Parameters<typeof readSettings>[0]): SettingError {
  try {
    readSettings(variables)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingError)
    return error as SettingError
  }
  throw new Error(`Expected an error for ${JSON.stringify(variables)}, none was thrown.`)
}

describe("readSettings()", () => {
  test("fills in what is not said", () => {
    const { limits, upstream } = readSettings({ LIMITS: [API] })
    expect(limits).toEqual([
      {
        name: "api",
        paths: ["/api"],
        policy: expect.objectContaining({ name: "api" }),
        key: expect.any(Function),
        failMode: "open",
        timeoutMs: 1_000,
      },
    ])
    expect(limits[0]!.policy.rules[0]).toMatchObject({ name: "api", limit: 10, periodMs: 60_000 })
    expect(upstream).toBeNull()
    expect(readSettings({ LIMITS: [API], UPSTREAM: "" }).upstream).toBeNull()
  })

  test("takes all that can be said", () => {
    const { limits, upstream } = readSettings({
      LIMITS: [
        { ...API, key: "header:X-Tenant", failMode: "closed", timeoutMs: 250 },
        { name: "login", paths: ["/login", "/api/token"], policy: { limit: 5, period: "1m", block: "15m" } },
        { name: "all", paths: ["/"], policy: ["10/second", { limit: 1_000, period: "1h", name: "hourly" }] },
      ],
      UPSTREAM: "https://example.com/base",
    })
    expect(limits[0]).toMatchObject({ failMode: "closed", timeoutMs: 250 })
    expect(limits[1]!.policy).toMatchObject({ name: "login", blockMs: 900_000 })
    expect(limits[2]!.policy.rules.map(({ name }) => name)).toEqual(["10-per-1s", "hourly"])
    expect(upstream!.href).toBe("https://example.com/base")
  })

  test.each([
    ["/api/*", "/api"],
    ["/api/**", "/api"],
    ["/api/v1*", "/api/v1"],
    ["/*", "/"],
    ["/(.*)", "/"],
    ["/users/:id", "/users"],
    ["/users/:id/posts", "/users"],
    ["/users/[id]", "/users"],
    ["/{tenant}/users", "/"],
  ])("refuses the pattern %s, which would protect nothing, and says the prefix", (path, prefix) => {
    const allowed = `a prefix: "${prefix}" covers all below it; a character meant as itself is encoded, as %5B`
    const paths = ["/plain", path]
    expect(errorOf({ LIMITS: [{ ...API, paths }] })).toMatchObject({
      field: "LIMITS[0].paths[1]",
      value: path,
      allowed,
    })
    const limits = { api: { policy: "10/minute", paths } }
    expect(errorOf({ CONFIG: { limits } })).toMatchObject({ field: "CONFIG.limits.api.paths[1]", value: path, allowed })
    const grouped = { limits: { api: "10/minute" }, groups: { all: { limits: ["api"], paths } } }
    expect(errorOf({ CONFIG: grouped })).toMatchObject({ field: "CONFIG.groups.all.paths[1]", value: path, allowed })
  })

  test.each(["/v1/users:batch", "/a[0]", "/x{y}z", "/%2A", "/%3Aid", "/~ann"])("takes %s as it is written", (path) => {
    const { limitByPath } = readSettings({ LIMITS: [{ ...API, paths: [path] }] })
    expect(limitByPath.find(new URL(`http://localhost${path}/more`).pathname)?.name).toBe("api")
  })

  test("takes lists, a penalty and a delay", async () => {
    const { limits } = readSettings({
      LIMITS: [
        {
          ...API,
          allow: { addresses: ["192.0.2.0/24"] },
          deny: { keys: ["ip:198.51.100.1"] },
          penalty: { status: [401], units: 3 },
          delay: "5s",
          policy: "10/minute leaky_bucket",
        },
      ],
    })
    const options = limits[0]!.options!
    expect(options).toMatchObject({
      allow: { addresses: ["192.0.2.0/24"], keys: [] },
      deny: { addresses: [], keys: ["ip:198.51.100.1"] },
      delay: { maxMs: 5_000 },
    })
    const costOf = (status: number) => options.penalty!({ status, headers: new Headers() }, new Request("http://a"))
    expect([await costOf(401), await costOf(200)]).toEqual([3, 0])
  })

  test("leaves a name that the policy itself gives", () => {
    const { limits } = readSettings({ LIMITS: [{ ...API, policy: "10/minute as quick" }] })
    expect(limits[0]!.policy.name).toBe("quick")
  })

  test.each([
    [undefined, "LIMITS"],
    [[], "LIMITS"],
    ["[]", "LIMITS"],
    [["10/minute"], "LIMITS[0]"],
    [[API, null], "LIMITS[1]"],
    [[[API]], "LIMITS[0]"],
    [[{ ...API, path: "/" }], "LIMITS[0].field"],
    [[{ ...API, name: undefined }], "LIMITS[0].name"],
    [[{ ...API, name: "" }], "LIMITS[0].name"],
    [[{ ...API, name: " api" }], "LIMITS[0].name"],
    [[{ ...API, name: "é" }], "LIMITS[0].name"],
    [[{ ...API, name: "x".repeat(65) }], "LIMITS[0].name"],
    [[API, { ...API, paths: ["/other"] }], "LIMITS[1].name"],
    [[{ ...API, paths: undefined }], "LIMITS[0].paths"],
    [[{ ...API, paths: [] }], "LIMITS[0].paths"],
    [[{ ...API, paths: "/api" }], "LIMITS[0].paths"],
    [[{ ...API, paths: ["/api", "api"] }], "LIMITS[0].paths[1]"],
    [[{ ...API, paths: ["/api?x=1"] }], "LIMITS[0].paths[0]"],
    [[{ ...API, paths: ["/a", "/b", "/a/"] }], "LIMITS[0].paths[2]"],
    [[API, { ...API, name: "other", paths: ["/x", "//api/"] }], "LIMITS[1].paths[1]"],
    [[{ ...API, policy: undefined }], "LIMITS[0].policy"],
    [[{ ...API, policy: "10/fortnight" }], "LIMITS[0].policy.period"],
    [[{ ...API, policy: { limit: 0, period: "1m" } }], "LIMITS[0].policy.limit"],
    [[{ ...API, policy: ["10/second", { limit: 1, period: 0 }] }], "LIMITS[0].policy.rules[1].period"],
    [[{ ...API, paths: ["/;x"] }], "LIMITS[0].paths[0]"],
    [[{ ...API, paths: ["/api%3bv=1"] }], "LIMITS[0].paths[0]"],
    [[{ ...API, paths: ["/api", "/%00x"] }], "LIMITS[0].paths[1]"],
    [[{ ...API, paths: ["/api%2f.."] }], "LIMITS[0].paths[0]"],
    [[{ ...API, failMode: "ajar" }], "LIMITS[0].failMode"],
    [[{ ...API, timeoutMs: 0 }], "LIMITS[0].timeoutMs"],
    [[{ ...API, timeoutMs: 1.5 }], "LIMITS[0].timeoutMs"],
    [[{ ...API, timeoutMs: "1s" }], "LIMITS[0].timeoutMs"],
    [[{ ...API, timeoutMs: 2 ** 31 }], "LIMITS[0].timeoutMs"],
    [[{ ...API, allow: ["192.0.2.1"] }], "LIMITS[0].allow"],
    [[{ ...API, deny: { addresses: ["localhost"] } }], "LIMITS[0].deny.addresses[0]"],
    [[{ ...API, deny: { addresses: ["192.0.2.1/24"] } }], "LIMITS[0].deny.addresses[0]"],
    [[{ ...API, penalty: { units: 1 } }], "LIMITS[0].penalty.status"],
    [[{ ...API, delay: "soon" }], "LIMITS[0].delay"],
    [[{ ...API, delay: "5s" }], "LIMITS[0].delay"],
    [[{ ...API, key: "" }], "LIMITS[0].key"],
    [[{ ...API, key: "adress" }], "LIMITS[0].key"],
    [[{ ...API, key: "address:x" }], "LIMITS[0].key"],
    [[{ ...API, key: "header" }], "LIMITS[0].key"],
    [[{ ...API, key: "header:" }], "LIMITS[0].key"],
    [[{ ...API, key: "header:a b" }], "LIMITS[0].key"],
    [[{ ...API, key: "cookie:a=b" }], "LIMITS[0].key"],
    [[{ ...API, key: "constructor" }], "LIMITS[0].key"],
    [[{ ...API, key: 1 }], "LIMITS[0].key"],
    [[{ ...API, key: ["address"] }], "LIMITS[0].key"],
    [[{ ...API, key: { firstOf: [] } }], "LIMITS[0].key"],
    [[{ ...API, key: { firstOf: ["address"], combine: ["address"] } }], "LIMITS[0].key"],
    [[{ ...API, key: { combine: ["address", { firstOf: ["cookie"] }] } }], "LIMITS[0].key.combine[1].firstOf[0]"],
  ])("refuses LIMITS %j, naming %s", (LIMITS, field) => {
    const error = errorOf({ LIMITS })
    expect(error.field).toBe(field)
    expect(error.message).toMatch(/^Cannot serve: LIMITS.* is .*, allowed is .*\.$/)
  })

  test.each([
    "example.com",
    "ftp://example.com",
    "https://",
    "https://user:secret@example.com",
    "https://example.com/?x=1",
    "https://example.com/#x",
    1,
    null,
  ])("refuses UPSTREAM %j", (UPSTREAM) => {
    expect(errorOf({ LIMITS: [API], UPSTREAM })).toMatchObject({ field: "UPSTREAM", value: UPSTREAM })
  })

  test.each([
    [{ paths: [] }, 'paths is [], allowed is a list of path prefixes such as "/api", at least 1.'],
    [{ paths: "/api" }, 'paths is "/api", allowed is a list of path prefixes such as "/api", at least 1.'],
    [{ timeoutMs: "1s" }, 'timeoutMs is "1s", allowed is a whole number of ms from 1 to 2147483647.'],
    [{ delay: "5s" }, 'delay is "5s", allowed is none without a leaky_bucket'],
  ])("shows what was written in %j, and says of what it may be", (fields, message) => {
    expect(errorOf({ LIMITS: [{ ...API, ...fields }] }).message).toContain(`LIMITS[0].${message}`)
  })

  test("says what is meant by a field that is misspelt", () => {
    expect(errorOf({ LIMITS: [{ ...API, failmode: "open" }] }).allowed).toContain('did you mean "failMode"?')
  })

  test("finds the limit with the longest prefix of a path, by whole segments", () => {
    const { limitByPath } = readSettings({
      LIMITS: [
        { ...API, name: "api", paths: ["/api"] },
        { ...API, name: "token", paths: ["/api/token/"] },
        { ...API, name: "umlaut", paths: ["/ü"] },
      ],
    })
    const limitOf = (path: string) => limitByPath.find(new URL(path, "http://localhost").pathname)?.name
    expect(limitOf("/api")).toBe("api")
    expect(limitOf("/api/")).toBe("api")
    expect(limitOf("/api/tokens")).toBe("api")
    expect(limitOf("/api/token")).toBe("token")
    expect(limitOf("/api/token/new?x=1")).toBe("token")
    expect(limitOf("/apis")).toBeUndefined()
    expect(limitOf("/other/api")).toBeUndefined()
    expect(limitOf("/")).toBeUndefined()
    expect(limitOf("/API")).toBeUndefined()
    expect(limitOf("/%C3%BC/x")).toBe("umlaut")
  })

  test.each([
    "//api//token",
    "/./api/x/../token",
    "/%61pi/tok%65n",
    "/api%2Ftoken",
    "/api%2f%2ftoken",
    "/x/%2e%2e/api/token",
    "/x%2f..%2fapi/token",
    "/api\\token",
    "/api%5Ctoken",
    "/api/token/%zz",
    "/%61pi/token/%",
    "/api/token;x=1",
    "/api;x=1;y/token;/z",
    "/api%3Bx/token",
    "/api/token%00",
    "/api%00.html/token",
    "/api/;/token",
    "/api/x/..;/token",
  ])("no other spelling of a path escapes its limit: %s", (path) => {
    const { limitByPath } = readSettings({ LIMITS: [{ ...API, paths: ["/api/token"] }] })
    const { pathname } = new URL(`http://localhost${path}`)
    expect(limitByPath.find(pathname)?.name).toBe("api")
  })

  test.each(["/%2561pi/token", "/api%252Ftoken", "/API/token"])("%s is another path", (path) => {
    const { limitByPath } = readSettings({ LIMITS: [{ ...API, paths: ["/api/token"] }] })
    expect(limitByPath.find(new URL(`http://localhost${path}`).pathname)).toBeUndefined()
  })

  test("finds the limit of a path with thousands of segments at once", () => {
    const { limitByPath } = readSettings({ LIMITS: [API] })
    expect(limitByPath.find(`/api${"/a".repeat(100_000)}`)?.name).toBe("api")
  })
})

describe("the key of a limit", () => {
  const request = new Request("http://localhost/", {
    headers: {
      "CF-Connecting-IP": "192.0.2.1",
      "X-Tenant": "acme",
      "X-API-Key": "secret",
      "X-Other-Key": "other",
      Authorization: "Bearer token",
      Cookie: "session=1",
    },
  })

  test.each([
    [undefined, "ip:192.0.2.1"],
    ["address", "ip:192.0.2.1"],
    ["header:X-Tenant", "header:x-tenant=acme"],
    ["api-key", "apikey:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"],
    ["api-key:X-Other-Key", "apikey:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"],
    ["bearer-token", "bearer:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"],
    ["cookie:session", "cookie:session=6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"],
    [{ firstOf: ["header:X-None", "address"] }, "ip:192.0.2.1"],
    [{ combine: ["address", "header:X-Tenant"] }, "ip:192.0.2.1|header:x-tenant=acme"],
    [{ combine: [{ firstOf: ["cookie:none", "header:X-Tenant"] }, "address"] }, "header:x-tenant=acme|ip:192.0.2.1"],
  ])("%j is %s", async (key, expected) => {
    const { limits } = readSettings({ LIMITS: [{ ...API, key }] })
    expect(await limits[0]!.key(request)).toBe(expected)
  })
})
