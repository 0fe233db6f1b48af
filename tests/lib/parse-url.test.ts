import { afterEach, describe, expect, test, vi } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { rateLimit } from "../../src/http/index.js"
import { parseUrl } from "../../src/lib/parse-url.js"

afterEach(() => vi.unstubAllGlobals())

describe("parseUrl()", () => {
  test("gives a URL, or null where it is none", () => {
    expect([parseUrl("HTTP://a/b/../c")?.href, parseUrl("/login"), parseUrl("http://h:99999/")]).toEqual([
      "http://a/c",
      null,
      null,
    ])
  })

  test("reads URLs where URL has no static methods, as on Workers with an old compatibility date", async () => {
    class OldURL extends URL {}
    for (const name of ["parse", "canParse"]) Object.defineProperty(OldURL, name, { value: undefined })
    vi.stubGlobal("URL", OldURL)
    const limited = rateLimit(() => new Response("ok"), { policy: "1/hour", failMode: "closed" })
    expect((await limited(new Request("http://localhost/a"))).status).toBe(200)
    expect((await limited(new Request("http://localhost/a"))).status).toBe(429)
    expect(() => new SluiceClient("http://localhost")).not.toThrow()
  })
})
