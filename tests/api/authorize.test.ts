import { describe, expect, test } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { answerOf, serveApi, TOKEN } from "./serve-api.js"

const WRONG = { authorization: "Bearer wrong-wrong-wrong" }

/** Of a guesser: none is the one before. */
let guesses = 0
const guess = () => ({ authorization: `Bearer wrong-wrong-wrong-${guesses++}` })

const health = (headers: Record<string, string>, host = "limits.test") => {
  return new Request(`http://${host}/v1/health`, { headers })
}

describe("the token", () => {
  test.each([
    [undefined, 'Bearer realm="sluice"'],
    ["Bearer", 'Bearer realm="sluice"'],
    ["Basic dXNlcjpwYXNz", 'Bearer realm="sluice"'],
    [`Bearer ${TOKEN}x`, 'Bearer realm="sluice", error="invalid_token"'],
    [`Bearer ${TOKEN.slice(0, -1)}`, 'Bearer realm="sluice", error="invalid_token"'],
    [`Bearer ${TOKEN.toUpperCase()}`, 'Bearer realm="sluice", error="invalid_token"'],
  ])("is asked for on every request, health included: %j is a 401", async (authorization, challenge) => {
    const { api } = serveApi()
    const answer = await answerOf(await api.fetch(health(authorization === undefined ? {} : { authorization })))
    expect(answer.status).toBe(401)
    expect(answer.headers.get("www-authenticate")).toBe(challenge)
    expect(answer.text).not.toContain(TOKEN)
    expect(answer.text).toContain(challenge.includes("error") ? "not the one of this server" : "allowed is one with")
  })

  test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer   ${TOKEN}`])("%j passes", async (authorization) => {
    const { api } = serveApi()
    expect((await api.fetch(health({ authorization }))).status).toBe(200)
  })

  test("a wrong path is a 401 without the token, and a 404 with it", async () => {
    const { api, ask } = serveApi()
    expect((await api.fetch(new Request("http://limits.test/v1/nothing"))).status).toBe(401)
    expect((await ask("GET", "/v1/nothing")).status).toBe(404)
  })

  test("ten wrong ones from an address, and its next are not looked at; other addresses are", async () => {
    const { api, clock } = serveApi()
    const wrong = () => api.fetch(health(guess()), "192.0.2.1")
    for (let times = 0; times < 10; times++) expect((await wrong()).status).toBe(401)
    const refused = await wrong()
    expect(refused.status).toBe(429)
    expect(refused.headers.get("retry-after")).toBe("6")
    const right = { authorization: `Bearer ${TOKEN}` }
    expect((await api.fetch(health(right), "192.0.2.1")).status).toBe(429)
    expect((await api.fetch(health(right), "192.0.2.2")).status).toBe(200)
    clock.advance(6_000)
    expect((await api.fetch(health(right), "192.0.2.1")).status).toBe(200)
  })

  test("wrong ones from the addresses of one IPv6 network count together, and those of another apart", async () => {
    const { api } = serveApi()
    const statusFrom = async (address: string) => (await api.fetch(health(guess()), address)).status
    for (let host = 1; host <= 10; host++)
      expect(await statusFrom(`2001:db8:0:12${host.toString(16)}0::${host}`)).toBe(401)
    expect(await statusFrom("2001:db8:0:12ff::1")).toBe(429)
    expect(await statusFrom("2001:db8:0:1300::1")).toBe(401)
  })

  test("nobody locks out others behind an address that has logged in", async () => {
    const { api } = serveApi()
    const right = { authorization: `Bearer ${TOKEN}` }
    expect((await api.fetch(health(right), "192.0.2.1")).status).toBe(200)
    for (let times = 0; times < 20; times++) await api.fetch(health(guess()), "192.0.2.1")
    expect((await api.fetch(health(guess()), "192.0.2.1")).status).toBe(429)
    expect((await api.fetch(health(right), "192.0.2.1")).status).toBe(200)
  })

  test("of those who logged in, the one that was not seen for longest is forgotten first", async () => {
    const { api } = serveApi()
    const right = { authorization: `Bearer ${TOKEN}` }
    const logIn = async (address: string) => (await api.fetch(health(right), address)).status
    await logIn("192.0.2.1")
    for (let index = 1; index < 10_000; index++) await logIn(`10.0.${index >> 8}.${index & 255}`)
    await logIn("192.0.2.1")
    await logIn("192.0.2.2")
    for (let times = 0; times < 20; times++) await api.fetch(health(guess()), "192.0.2.1")
    expect(await logIn("192.0.2.1")).toBe(200)
  })

  test("one that a client goes on with after it was replaced is counted once, and locks out nobody", async () => {
    const { api } = serveApi()
    const statusOf = async (authorization: string, address = "192.0.2.1") =>
      (await api.fetch(health({ authorization }), address)).status
    for (let times = 0; times < 30; times++) expect(await statusOf(WRONG.authorization)).toBe(401)
    expect(await statusOf(`Bearer ${TOKEN}`)).toBe(200)
    // It was one of the ten guesses, and is known to be wrong when there are no more; from elsewhere it is a guess.
    for (let times = 0; times < 9; times++) await statusOf(guess().authorization, "192.0.2.2")
    expect(await statusOf(WRONG.authorization, "192.0.2.2")).toBe(401)
    expect(await statusOf(guess().authorization, "192.0.2.2")).toBe(429)
    expect(await statusOf(WRONG.authorization, "192.0.2.2")).toBe(401)
    expect(await statusOf(`Bearer ${TOKEN}`, "192.0.2.2")).toBe(429)
  })

  test("one that is too long to be remembered is a guess each time", async () => {
    const { api } = serveApi()
    const statusOf = async (length: number, address: string) =>
      (await api.fetch(health({ authorization: `Bearer ${"x".repeat(length)}` }), address)).status
    for (let times = 0; times < 10; times++) expect(await statusOf(257, "192.0.2.1")).toBe(401)
    expect(await statusOf(257, "192.0.2.1")).toBe(429)
    // What else is remembered beside it does not make it shorter.
    const address = "2001:db8:1234:5600:9abc:def0:1234:5678"
    for (let times = 0; times < 20; times++) expect(await statusOf(256, address)).toBe(401)
  })

  test("requests without one are refused and not counted", async () => {
    const { api } = serveApi()
    for (let times = 0; times < 20; times++) expect((await api.fetch(health({}), "192.0.2.1")).status).toBe(401)
    expect((await api.fetch(health({ authorization: `Bearer ${TOKEN}` }), "192.0.2.1")).status).toBe(200)
    for (let times = 0; times < 10; times++)
      await api.fetch(health({ authorization: `Basic ${times}eA==` }), "192.0.2.2")
    expect((await api.fetch(health(WRONG), "192.0.2.2")).status).toBe(429)
  })

  test("/metrics tells guesses apart from a token that was replaced and from none", async () => {
    const { api } = serveApi()
    for (let times = 0; times < 5; times++) await api.fetch(health(WRONG), "192.0.2.1")
    for (let times = 0; times < 3; times++) await api.fetch(health({}), "192.0.2.1")
    await api.fetch(health(guess()), "192.0.2.1")
    const right = { authorization: `Bearer ${TOKEN}` }
    const text = await (await api.fetch(new Request("http://limits.test/metrics", { headers: right }))).text()
    expect(text.match(/^sluice_logins_refused_total.*/gm)?.sort()).toEqual([
      'sluice_logins_refused_total{reason="missing"} 3',
      'sluice_logins_refused_total{reason="repeated"} 4',
      'sluice_logins_refused_total{reason="wrong"} 2',
    ])
  })

  test.each(["", "short", "with space in it, long", `${"x".repeat(15)}é`])("%j cannot be one", (token) => {
    const { limits } = serveApi()
    expect(() => createApi({ limits, token })).toThrow("allowed are 16 or more")
  })
})

describe("without a token", () => {
  test.each(["localhost", "127.0.0.1", "[::1]", "localhost:8787"])("this machine may ask: %s", async (host) => {
    const { api } = serveApi({}, { token: null })
    expect((await api.fetch(health({}, host))).status).toBe(200)
  })

  test.each(["limits.test", "127.0.0.1.evil.test", "localhost.evil.test", "192.0.2.1"])(
    "a 403 for anybody else: %s",
    async (host) => {
      const { api } = serveApi({}, { token: null })
      expect((await api.fetch(health({}, host))).status).toBe(403)
    },
  )
})

describe("without a token, behind a proxy", () => {
  test.each([
    ["X-Forwarded-For", "192.0.2.1"],
    ["X-Forwarded-For", "127.0.0.1"],
    ["Forwarded", "for=192.0.2.1"],
    ["X-Real-IP", "192.0.2.1"],
    ["Via", "1.1 proxy"],
  ])("a 403 that says so: %s: %s", async (field, value) => {
    const { api } = serveApi({}, { token: null })
    const { status, json } = await answerOf(await api.fetch(health({ [field]: value }, "localhost:8787")))
    expect(status).toBe(403)
    expect(json.detail).toContain(`it has ${field}, so a proxy passed it on`)
    const withToken = serveApi().api
    expect((await withToken.fetch(health({ [field]: value, authorization: `Bearer ${TOKEN}` }))).status).toBe(200)
  })
})

describe("pages of another origin", () => {
  test.each([
    [{ origin: "http://evil.test" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "http://localhost:8788" }, 403],
    [{ "sec-fetch-site": "cross-site", origin: "http://localhost:8787" }, 403],
    [{ "sec-fetch-site": "same-site", origin: "http://localhost:8787" }, 403],
    // A link that is followed.
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, 200],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, 200],
    // What a page loads without being able to read it.
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }, 403],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script" }, 403],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }, 403],
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ origin: "http://localhost:8787" }, 200],
    [{ "sec-fetch-site": "same-origin" }, 200],
    // Typed by the user.
    [{ "sec-fetch-site": "none" }, 200],
    // Behind a proxy that names another Host.
    [{ "sec-fetch-site": "same-origin", origin: "https://limits.test" }, 200],
  ])("%j is a %d", async (headers, status) => {
    const { api } = serveApi({}, { token: null })
    const response = await api.fetch(health(headers as Record<string, string>, "localhost:8787"))
    expect(response.status).toBe(status)
    expect(response.headers.get("access-control-allow-origin")).toBeNull()
  })
})
