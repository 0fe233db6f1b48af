import { describe, expect, test, vi } from "vitest"
import { isClearUrl } from "../../src/http/clear-url.js"
import { guardRequests, rateLimit } from "../../src/http/index.js"
import { ok, settled } from "./requests.js"

/** As a server gives them that puts what a client sent into the URL as it is. */
const UNCLEAR = [
  "/login",
  "",
  "http://a?/login",
  "http://a#/login",
  "http://a\\/login",
  "http://a b/login",
  "http://h:99999/login",
  "http://1.2.3.4.5/login",
  "http://[::1/login",
  "http://u@b/login",
  "http://u:p@b/login",
  "http://%/login",
  "http:///login",
  "foo://a?/login",
  "foo:login",
  "http://a/login/../health",
  "http://a/login/%2E./health",
  "http://a/login/.",
  "http://a/login\\..\\health",
  "http://a/log\tin",
  "http://a/login ",
]

function requestWith(url: string): Request {
  return Object.defineProperty(new Request("http://localhost/"), "url", { value: url })
}

describe("isClearUrl()", () => {
  test.each(UNCLEAR)("is false where readers find different paths, or no URL: %s", (url) => {
    expect(isClearUrl(url)).toBe(false)
  })

  test.each([
    "http://localhost/",
    "https://do/",
    "http://EXAMPLE.com:80/a",
    "http://example.com:/a",
    "http://my_service:65535/a",
    "http://[2001:DB8::1]:80/a",
    "http://192.0.2.1/a",
    "http://xn--bcher-kva.de/a",
    "http://a//b/",
    "http://a/..b/.../c..",
    "http://a/%2e%2f/%zz",
    'http://a/"{a}é',
    "http://a/b?c=/../d\\ e#/..",
    "http://a/b#/..",
  ])("is true for what a server gives of a plain request: %s", (url) => {
    expect(isClearUrl(url)).toBe(true)
  })

  test.each([
    "http://bücher.de/ä b",
    "http://a~b!/c",
    "http://a/b/../c d",
    "app://bundle/a",
    "file:///a",
    "http://a?b",
  ])("is true for what a Request made of %s", (url) => {
    expect(isClearUrl(new Request(url).url)).toBe(true)
  })

  test("reads a path of any length to its end", () => {
    const long = `http://a${"/b".repeat(100_000)}`
    expect([isClearUrl(long), isClearUrl(`${long}/..`), isClearUrl(`${long} `)]).toEqual([true, false, false])
  })
})

describe("guardRequests()", () => {
  test.each(UNCLEAR)("answers 400 before anything is asked, whatever the fail mode: %s", async (url) => {
    for (const failMode of ["open", "closed", "local"] as const) {
      const [skip, key, onDecision, onError] = [vi.fn(), vi.fn(), vi.fn(), vi.fn()]
      const policy = (request: Request) => (new URL(request.url).pathname === "/login" ? "1/hour" : "1000/hour")
      const guard = guardRequests({ policy, skip, key, failMode, onDecision, onError })
      const { response, decision } = await guard(requestWith(url))
      expect([response?.status, decision]).toEqual([400, undefined])
      expect(response?.headers.get("cache-control")).toBe("no-store")
      expect(await response?.json()).toMatchObject({ status: 400, code: "REQUEST_INVALID" })
      for (const option of [skip, key, onDecision]) expect(option).not.toHaveBeenCalled()
      expect(String(onError.mock.calls[0]![0])).toBe(
        "RangeError: Cannot read the request: its URL is not clear, allowed is a plain host and a path without dot segments or backslashes.",
      )
    }
  })

  test("lets such a request pass in shadow mode, and tells onError", async () => {
    const onError = vi.fn()
    const limited = rateLimit(ok, { policy: "1/hour", shadow: true, onError })
    expect((await limited(requestWith("/login"))).status).toBe(200)
    await settled()
    expect(onError).toHaveBeenCalledOnce()
  })
})
