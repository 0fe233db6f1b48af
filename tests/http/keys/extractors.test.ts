import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test, vi } from "vitest"
import {
  apiKey,
  bearerToken,
  claim,
  combine,
  cookie,
  firstOf,
  HASHED_KEY_PREFIX,
  header,
  type KeyExtractor,
  pathPattern,
  UNIDENTIFIED_KEY,
} from "../../../src/http/keys/index.js"
import { limiterKey } from "../../../src/http/keys/limiter-key.js"

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

function requestWith(headers: Record<string, string>): Request {
  return new Request("http://localhost/", { headers })
}

describe("limiterKey()", () => {
  test.each([undefined, null, ""])("is the shared key for %j", async (found) => {
    expect(await limiterKey(found)).toBe(UNIDENTIFIED_KEY)
  })

  const FITTING = ["a", "__proto__", "constructor", "a:b|c\\d", "🔑", "a\0b", "x".repeat(512), "é".repeat(256)]
  test.each([...FITTING, "€".repeat(170), `${"€".repeat(170)}xx`, "🔑".repeat(128)])(
    "leaves %j as it is",
    async (key) => {
      expect(await limiterKey(key)).toBe(key)
    },
  )

  test.each(["x".repeat(513), "é".repeat(257), "€".repeat(171), "🔑".repeat(129), "x".repeat(100_000)])(
    "hashes what has more than 512 bytes of UTF-8",
    async (key) => {
      expect(await limiterKey(key)).toBe(`${HASHED_KEY_PREFIX}${sha256(key)}`)
    },
  )

  test("replaces lone surrogates, which no limiter takes", async () => {
    expect(await limiterKey("a\ud800b")).toBe("a\ufffdb")
  })

  test("is the extractor's own shared key where it has one, hashed where that is long", async () => {
    expect(await limiterKey(undefined, "own")).toBe("own")
    expect(await limiterKey("", "x".repeat(513))).toBe(`${HASHED_KEY_PREFIX}${sha256("x".repeat(513))}`)
  })

  test.each([42, {}, true, Symbol("s")])("refuses what is no text", async (found) => {
    await expect(limiterKey(found)).rejects.toThrow(TypeError)
  })
})

describe("header()", () => {
  test("is the header's name and value", async () => {
    expect(await header("X-Tenant")(requestWith({ "x-TENANT": " acme:1 " }))).toBe("header:x-tenant=acme:1")
  })

  test("leaves out white space around the value, as applications do", async () => {
    expect(await header("x-tenant")(requestWith({ "x-tenant": "\u00a0ac\u00a0me \u00a0" }))).toBe(
      "header:x-tenant=ac\u00a0me",
    )
  })

  test.each(["", " ", "\u00a0"])("finds nothing in %j, nor where it is absent", async (value) => {
    expect(await header("x-tenant")(requestWith({}))).toBeUndefined()
    expect(await header("x-tenant")(requestWith({ "x-tenant": value }))).toBeUndefined()
  })

  test.each(["no header", "", "a:b", "é", undefined, 5])("refuses the name %j", (name) => {
    expect(() => header(name as string)).toThrow(RangeError)
    expect(() => header(name as string)).toThrow(/^Cannot use header: name is .*, allowed is the name of a header\.$/)
  })
})

describe("apiKey()", () => {
  test("is a hash that does not hold the secret", async () => {
    expect(await apiKey()(requestWith({ "X-API-Key": "s3cret" }))).toBe(`apikey:${sha256("s3cret")}`)
    expect(await apiKey({ header: "X-Token" })(requestWith({ "x-token": "t" }))).toBe(`apikey:${sha256("t")}`)
  })

  test("is one key for all spellings with white space around it", async () => {
    for (const value of ["s3cret\u00a0", "\u00a0s3cret", " \u00a0 s3cret\t\u00a0"]) {
      expect(await apiKey()(requestWith({ "X-API-Key": value }))).toBe(`apikey:${sha256("s3cret")}`)
    }
  })

  test("finds nothing where it is absent, or white space", async () => {
    expect(await apiKey({ header: "X-Token" })(requestWith({ "x-api-key": "s3cret" }))).toBeUndefined()
    expect(await apiKey()(requestWith({ "X-API-Key": "\u00a0 \u00a0" }))).toBeUndefined()
  })

  test("refuses what is no header name, and options that there are not", () => {
    expect(() => apiKey({ header: "X Token" })).toThrow('Cannot use apiKey: header is "X Token"')
    expect(() => apiKey({ heder: "X-Token" } as never)).toThrow('(did you mean "header"?)')
    expect(() => apiKey("X-Token" as never)).toThrow(RangeError)
  })
})

describe("bearerToken()", () => {
  test.each([
    "Bearer abc.def",
    "bearer abc.def",
    "BEARER   abc.def",
    "Bearer\tabc.def",
    "Bearer \t abc.def",
    "Bearer\u00a0abc.def",
    "\u00a0Bearer abc.def\u00a0",
  ])("hashes the token of %j", async (value) => {
    expect(await bearerToken()(requestWith({ authorization: value }))).toBe(`bearer:${sha256("abc.def")}`)
  })

  const JWT = `${btoa('{"alg":"none"}').replaceAll("=", "")}.e30.8_-Ab`

  test.each([`${JWT}A`, `${JWT}P`, `${JWT}A==`, `${JWT.replace("_", "/").replace("-", "+")}A`])(
    "is one key for all spellings of a JWT: %s",
    async (token) => {
      expect(await bearerToken()(requestWith({ authorization: `Bearer ${token}` }))).toBe(`bearer:${sha256(`${JWT}A`)}`)
    },
  )

  test("is one more key for all spellings of a JWT that only lenient decoders take", async () => {
    const appended = ["AAAA", "A!", "A~", "A=", "A=A", "A===", "A==A", "AAAA="]
    const tokens = [...appended.map((end) => JWT + end), `${JWT.replace("_", "_=")}A`, `${JWT.replace("_", "*_")}A`]
    const keys = tokens.map((token) => bearerToken()(requestWith({ authorization: `Bearer ${token}` })))
    expect(new Set(await Promise.all(keys))).toEqual(new Set([`bearer:${sha256(JWT.replace(/[^.]*$/, ""))}`]))
  })

  test.each([
    // Other bytes, other numbers of parts, and texts that are no JWT.
    `${JWT}Q`,
    `${JWT}A.`,
    `${JWT}A.B.C.D`,
    "ey.10",
    "user.42.10",
    "user.42.11",
    "abc=",
    `eyJ9${".".repeat(100_000)}A`,
    `eyJ9${"=".repeat(100_000)}.e30.A`,
  ])("leaves other tokens as they are", async (token) => {
    expect(await bearerToken()(requestWith({ authorization: `Bearer ${token}` }))).toBe(`bearer:${sha256(token)}`)
  })

  test.each(["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "xBearer abc"])(
    "finds nothing in %j",
    async (value) => {
      expect(await bearerToken()(requestWith({ authorization: value }))).toBeUndefined()
    },
  )
})

describe("cookie()", () => {
  test.each([
    ["sid=v1", "v1"],
    ["a=1; sid=v1; b=2", "v1"],
    ['sid=v1; sid=%76%31; sid="v1"', "v1"],
    [" sid = v1 ", "v1"],
    ["sid=%761", "v1"],
    ['sid="v1"', "v1"],
    ['sid="%761"', "v1"],
    ["sid=%zz", "%zz"],
    ['sid="v"1"', 'v"1'],
    ['sid=v1"', 'v1"'],
    ["xsid=0; sid=v=1=", "v=1="],
    ["a=1;sid=v1", "v1"],
  ])("hashes the value in %j", async (value, expected) => {
    expect(await cookie("sid")(requestWith({ cookie: value }))).toBe(`cookie:sid=${sha256(expected)}`)
  })

  test.each(["", "sid", "sids", "sid=", 'sid=""', "SID=v1", "a=sid=v1", ";;=;"])(
    "finds nothing in %j",
    async (value) => {
      expect(await cookie("sid")(requestWith({ cookie: value }))).toBeUndefined()
    },
  )

  test.each([
    "sid=v1; sid=v2",
    "sid=v2; a=1; sid=v1",
    "sid=; sid=v1",
    "sid=v1; sid=",
    'sid="v1x',
    'sid="v1" x',
    'sid=v1; sid="v1x',
    'sid="',
  ])("finds nothing in %j, whose value depends on who reads it", async (value) => {
    expect(await cookie("sid")(requestWith({ cookie: value }))).toBeUndefined()
  })

  test.each(["", "a b", "a=b", "a;b", undefined, 5])("refuses the name %j", (name) => {
    expect(() => cookie(name as string)).toThrow(RangeError)
    expect(() => cookie(name as string)).toThrow("Cannot use cookie: name is ")
  })

  test("decodes each spelling of a value once, and none after a second value", async () => {
    const decode = vi.spyOn(globalThis, "decodeURIComponent")
    const keyOf = (value: string) => cookie("sid")(requestWith({ cookie: value }))
    const same = await keyOf("sid=%ff;".repeat(2_000))
    expect(decode).toHaveBeenCalledTimes(1)
    const different = await keyOf(Array.from({ length: 2_000 }, (_, index) => `sid=%ff${index}`).join(";"))
    expect(decode).toHaveBeenCalledTimes(3)
    expect([same, different]).toEqual([`cookie:sid=${sha256("%ff")}`, undefined])
    decode.mockRestore()
  })
})

describe("pathPattern()", () => {
  const users = ["/users/:id", "/users/me"] as const
  const pages = ["GET /export", "HEAD /page", "GET /page"] as const
  const byRoute = pathPattern("POST /login", ...users, "/files/*", "/caf\u00e9", ...pages)

  test.each([
    ["GET", "/users/1", "path:/users/:id"],
    ["GET", "/users/2/", "path:/users/:id"],
    ["GET", "//users//3", "path:/users/:id"],
    ["GET", "/users/me", "path:/users/:id"],
    ["GET", "/%75sers/1?x=/y", "path:/users/:id"],
    ["POST", "/login", "path:POST /login"],
    ["GET", "/files", "path:/files/*"],
    ["GET", "/files/a/b/c", "path:/files/*"],
    ["GET", "/caf%C3%A9", "path:/caf\u00e9"],
    ["GET", "/login", undefined],
    ["HEAD", "/login", undefined],
    ["GET", "/export", "path:GET /export"],
    // Routers give it to the handler of GET.
    ["HEAD", "/export", "path:GET /export"],
    ["POST", "/export", undefined],
    ["GET", "/page", "path:GET /page"],
    ["HEAD", "/page", "path:HEAD /page"],
    ["GET", "/users", undefined],
    ["GET", "/users/1/posts", undefined],
    ["GET", "/Users/1", undefined],
    ["GET", "/", undefined],
    ["GET", "/%zz", undefined],
  ])("%s %s is %s", async (method, path, key) => {
    expect(await byRoute(new Request(`http://localhost${path}`, { method }))).toBe(key)
  })

  test("decodes only what it compares, however long the path", async () => {
    const decode = vi.spyOn(globalThis, "decodeURIComponent")
    const byLogin = pathPattern("POST /login", "/users/:id/posts", "/files/*")
    decode.mockClear()
    const long = (start: string) => new Request(`http://localhost${start}${"/%ff".repeat(5_000)}`, { method: "POST" })
    expect([await byLogin(long("")), await byLogin(long("/f%69les"))]).toEqual([undefined, "path:/files/*"])
    expect(decode).toHaveBeenCalledTimes(2)
    decode.mockRestore()
  })

  test("takes the root, and everything", async () => {
    expect(await pathPattern("/")(requestWith({}))).toBe("path:/")
    expect(await pathPattern("/*")(new Request("http://localhost/a/b"))).toBe("path:/*")
  })

  test("decodes the segments of patterns as those of paths", async () => {
    const byRoute = pathPattern("/caf%C3%A9/:id", "/100%", "/%2A")
    expect(await byRoute(new Request("http://localhost/caf\u00e9/7"))).toBe("path:/caf%C3%A9/:id")
    expect(await byRoute(new Request("http://localhost/100%25"))).toBe("path:/100%")
    expect(await byRoute(new Request("http://localhost/*"))).toBe("path:/%2A")
    expect(await byRoute(new Request("http://localhost/else"))).toBeUndefined()
  })

  test.each(["", "users", "/a/*/b", "/a/**", "/a*", "/a/*b/c", "/*/*", "/a/:", "get /a", "GET", "/a b"])(
    "refuses the pattern %j",
    (pattern) => {
      expect(() => pathPattern(pattern)).toThrow(RangeError)
      expect(() => pathPattern(pattern)).toThrow("Cannot use pathPattern: pattern is ")
    },
  )

  test("refuses to have no pattern", () => {
    expect(() => pathPattern(...([] as unknown as [string]))).toThrow("patterns is []")
  })
})

describe("claim()", () => {
  test("refuses what cannot read one", () => {
    expect(() => claim("sub" as never)).toThrow('Cannot use claim: read is "sub", allowed is a function.')
  })

  test("is what the application reads, from all that it is given", async () => {
    const bySubject = claim((_request, env: { user: { sub: string } }) => env.user.sub)
    expect(await bySubject(requestWith({}), { user: { sub: "u1" } })).toBe("claim:u1")
  })

  test.each([
    [0, "claim:0"],
    [undefined, undefined],
    [null, undefined],
    ["", undefined],
  ])("of %j is %j", async (value, key) => {
    expect(await claim(async () => value)(requestWith({}))).toBe(key)
  })

  test.each([[{ sub: "u1" }], [["u1"]], [true], [42n], [Symbol("u1")]])(
    "refuses %o, which is neither a text nor a number",
    async (value) => {
      const key = claim(() => value as never)
      await expect(key(requestWith({}))).rejects.toThrow(/^Cannot use key .*: allowed is a text, or nothing\.$/)
    },
  )
})

describe("combine()", () => {
  const request = requestWith({})
  const parts = (...found: (string | null | undefined)[]) =>
    found.map(
      (part): KeyExtractor =>
        () =>
          part,
    )

  test("joins its parts in order", async () => {
    expect(await combine(...parts("ip:192.0.2.1", "path:/a"))(request)).toBe("ip:192.0.2.1|path:/a")
  })

  test("waits for parts that take time", async () => {
    expect(await combine(apiKey(), header("x-t"))(requestWith({ "x-api-key": "s", "x-t": "t" }))).toBe(
      `apikey:${sha256("s")}|header:x-t=t`,
    )
  })

  test("finds nothing where no part does", async () => {
    expect(await combine(...parts(undefined, null, ""))(request)).toBeUndefined()
  })

  test.each([
    [
      ["a", "b:c"],
      ["a:b", "c"],
    ],
    [
      ["a", "b|c"],
      ["a|b", "c"],
    ],
    [
      ["a\\", "b"],
      ["a", "\\b"],
    ],
    [
      ["a\\|b", "c"],
      ["a\\", "b|c"],
    ],
    [
      ["a", undefined],
      ["a", "\\-"],
    ],
    [
      ["a", undefined],
      ["a", "-"],
    ],
    [
      ["a", undefined],
      [undefined, "a"],
    ],
  ])("tells %j from %j", async (one, other) => {
    expect(await combine(...parts(...one))(request)).not.toBe(await combine(...parts(...other))(request))
  })

  test("never makes the same key of different parts", async () => {
    const part = fc.option(fc.string({ unit: fc.constantFrom("a", "|", "\\", "-"), minLength: 1, maxLength: 4 }))
    const several = fc.array(part, { minLength: 2, maxLength: 3 }).filter((found) => found.some(Boolean))
    await fc.assert(
      fc.asyncProperty(several, several, async (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        const isSameKey = (await combine(...parts(...one))(request)) === (await combine(...parts(...other))(request))
        expect(isSameKey).toBe(isSame)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("firstOf()", () => {
  test("is the first that finds something, and asks no further", async () => {
    const never: KeyExtractor = () => {
      throw new Error("asked")
    }
    const key = firstOf(
      () => undefined,
      () => "",
      async () => "second",
      never,
    )
    expect(await key(requestWith({}))).toBe("second")
  })

  test("finds nothing where none does", async () => {
    expect(await firstOf(header("x-a"), bearerToken())(requestWith({}))).toBeUndefined()
  })
})

describe.each([
  ["combine", combine],
  ["firstOf", firstOf],
])("%s()", (name, join) => {
  test.each([[{ tenant: "acme" }], [0], [false]])("refuses what is found and is no text: %j", async (found) => {
    const key = join(() => found as never)
    await expect(key(requestWith({}))).rejects.toThrow(/^Cannot use key .*: allowed is a text, or nothing\.$/)
  })

  test("refuses to ask nobody, and what cannot be asked", () => {
    expect(() => join()).toThrow(`Cannot use ${name}: extractors is [], allowed is one or more.`)
    expect(() => join(bearerToken(), "address" as never)).toThrow(
      `Cannot use ${name}: extractors[1] is "address", allowed is a function.`,
    )
  })
})
