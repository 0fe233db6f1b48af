import { describe, expect, test, vi } from "vitest"
import { serveApi, TOKEN } from "./serve-api.js"

const requestOf = (path: string, signal?: AbortSignal) =>
  new Request(`http://sluice.test${path}`, {
    headers: { Authorization: `Bearer ${TOKEN}` },
    ...(signal && { signal }),
  })

describe("GET /v1/events", () => {
  test("tells where it begins, so that a reader who heard nothing yet resumes there", async () => {
    const { api, ask } = serveApi({ a: "1000000/s" })
    const first = async (path: string) => {
      const response = await api.fetch(requestOf(path))
      const reader = response.body!.getReader()
      const { value } = await reader.read()
      await reader.cancel()
      return new TextDecoder().decode(value)
    }
    expect(await first("/v1/events")).toBe(`retry: 1000\nid: ${api.events.epoch}-0\n: listening\n\n`)
    for (let check = 0; check < 3; check++) await ask("POST", "/v1/check", { key: "a" })
    expect(await first("/v1/events")).toContain(`id: ${api.events.epoch}-3\n`)
    expect(await first("/v1/events?replay=2")).toContain(`id: ${api.events.epoch}-1\n`)
  })

  test("gives a reader of few among many what was missed, however much else there was", async () => {
    const { api, ask, clock } = serveApi({ busy: "1000000/s", rare: "1000000/s" })
    for (let check = 0; check < 1_500; check++) await ask("POST", "/v1/check", { key: "k", limit: "busy" })
    await ask("POST", "/v1/check", { key: "k", limit: "rare" })
    for (const path of ["/v1/events?limit=rare", "/v1/events?limit=rare&replay=5000"]) {
      const controller = new AbortController()
      const response = await api.fetch(
        new Request(`http://sluice.test${path}`, {
          headers: {
            Authorization: `Bearer ${TOKEN}`,
            ...(!path.includes("replay") && { "Last-Event-ID": "earlier-1" }),
          },
          signal: controller.signal,
        }),
      )
      const text = new TextDecoder()
      let heard = ""
      for await (const chunk of response.body!) {
        heard += text.decode(chunk as Uint8Array, { stream: true })
        if (heard.includes("data: ")) break
      }
      controller.abort()
      expect(heard).toContain(`id: ${api.events.epoch}-1501\nevent: decision\ndata: {`)
      expect(JSON.parse(heard.slice(heard.indexOf("{")))).toMatchObject({
        at: new Date(clock.now()).toISOString(),
        limit: "rare",
      })
    }
  })

  test("replays as many as are asked for of those that the filter wants", async () => {
    const { api, ask } = serveApi({ busy: "1000000/s", rare: "2/day" })
    for (let check = 0; check < 3; check++) await ask("POST", "/v1/check", { key: "k", limit: "rare" })
    for (let check = 0; check < 20; check++) await ask("POST", "/v1/check", { key: "k", limit: "busy" })
    for (const [query, ids] of [
      ["limit=rare&replay=2", [2, 3]],
      ["outcome=denied&replay=1", [3]],
      ["limit=rare&outcome=allowed&replay=9", [1, 2]],
      ["limit=busy&replay=1", [23]],
    ] as const) {
      const { body } = await api.fetch(requestOf(`/v1/events?${query}`))
      const reader = body!.getReader()
      const text = new TextDecoder()
      let heard = ""
      // One chunk says where it begins, and each event is one.
      for (let chunk = 0; chunk <= ids.length; chunk++) heard += text.decode((await reader.read()).value)
      await reader.cancel()
      const events = [...heard.matchAll(/-(\d+)\nevent: decision/g)].map(([, id]) => Number(id))
      expect(events, query).toEqual(ids)
    }
  })

  test("leaves no timer behind when its reader is gone", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      const { body } = await serveApi().api.fetch(requestOf("/v1/events"))
      expect(vi.getTimerCount()).toBe(1)
      await body!.cancel()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test("ends when the request is aborted", async () => {
    const controller = new AbortController()
    const { body } = await serveApi().api.fetch(requestOf("/v1/events", controller.signal))
    const reader = body!.getReader()
    for (const part of ["listening", "live"]) {
      expect(new TextDecoder().decode((await reader.read()).value)).toContain(part)
    }
    controller.abort()
    expect(await reader.read()).toEqual({ done: true, value: undefined })
  })

  test("ends at once, and leaves no timer, where the request was aborted before", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      const { body } = await serveApi().api.fetch(requestOf("/v1/events", AbortSignal.abort()))
      expect(vi.getTimerCount()).toBe(0)
      await expect(new Response(body).text()).resolves.toMatch(/^retry/)
    } finally {
      vi.useRealTimers()
    }
  })

  test("tells as much as a reader may lag behind, and ends: who asks again resumes there", async () => {
    const { api, ask } = serveApi({ a: "1000000/s" })
    for (let check = 0; check < 1_200; check++) await ask("POST", "/v1/check", { key: "a" })
    const read = async (lastEventId?: string) => {
      const request = requestOf("/v1/events?replay=1200", AbortSignal.timeout(100))
      if (lastEventId !== undefined) request.headers.set("Last-Event-ID", lastEventId)
      return await (await api.fetch(request)).text()
    }
    const idsIn = (text: string) => text.match(/(?<=^id: .*-)\d+(?=\nevent: decision$)/gm)!.map(Number)
    const first = await read()
    expect(idsIn(first)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1))
    const [, last] = /\n\nretry: 0\nid: (\w+-1000)\n: more\n\n$/.exec(first)!
    const rest = await read(last)
    expect(idsIn(rest)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1_001))
    expect(rest).not.toContain("retry: 0")
  })
})
