import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { getEventListeners, once } from "node:events"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import type { SluiceError } from "../../src/types/errors.js"
import { run, type Scratch } from "./run.js"
import { AUTH, post, raw, Servers, TOKEN } from "./servers.js"

let servers: Servers
let scratch: Scratch
const serve = (...args: string[]) => servers.serve(...args)

beforeEach(() => {
  servers = new Servers()
  scratch = servers.scratch
})
afterEach(() => servers[Symbol.dispose]())

describe("sluice serve", () => {
  test("tells in its metrics how long each commit took, of single checks too", async () => {
    const { url } = await serve()
    const client = new SluiceClient(url, { token: TOKEN })
    await client.define("default", "9/day")
    const commits = async () => {
      const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text()
      return Number(/^sluice_commit_duration_seconds_count (\d+)$/m.exec(text)?.[1])
    }
    const before = await commits()
    for (let times = 0; times < 3; times++) await client.check("a")
    expect(await commits()).toBe(before + 3)
  })

  test.skipIf(!existsSync("/usr/bin/prlimit"))(
    "tells of a commit that nobody waited for and that failed, and goes on when there is room again",
    async () => {
      const { child, url } = await servers.serveIn(
        ["sh", "-c", `trap '' XFSZ; exec "$0" "$@"`],
        "--sync",
        "batch",
        "--flush-every-ms",
        "20",
      )
      const client = new SluiceClient(url, { token: TOKEN })
      const told: string[] = []
      child.stderr!.setEncoding("utf8").on("data", (text: string) => told.push(text))
      const setRoom = (bytes: number | "unlimited") =>
        execFileSync("/usr/bin/prlimit", ["--pid", String(child.pid), `--fsize=${bytes}:unlimited`])
      const failures = async () => {
        const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text()
        return Number(/^sluice_commit_failures_total (\d+)$/m.exec(text)?.[1])
      }
      await client.define("default", "9/day")
      await client.check("a")
      // It is in the file then: the history is read from there.
      await client.history("a")
      expect(await failures()).toBe(0)
      setRoom(1_024)
      expect((await client.check("a")).remaining).toBe(7)
      await expect.poll(failures).toBeGreaterThan(0)
      // What is told opens the store anew, once, and that fails too.
      const untilNow = await failures()
      expect(await failures()).toBe(untilNow + 1)
      const fault = expect.objectContaining({ ok: false, detail: expect.stringContaining("disk I/O error") })
      expect(await client.doctor()).toMatchObject({ ok: false, findings: expect.arrayContaining([fault]) })
      setRoom("unlimited")
      await expect
        .poll(() => told.join(""))
        .toBe("Cannot reach the store: a commit failed: disk I/O error. At most 1 records that were told are lost.\n")
      expect((await client.check("a")).remaining).toBe(7)
      const failed = await failures()
      expect((await client.check("a")).remaining).toBe(6)
      expect(await failures()).toBe(failed)
      child.kill("SIGTERM")
      // What was lost was told.
      expect(await once(child, "exit")).toEqual([0, null])
    },
  )

  test("goes on telling what was counted while its folder is moved away, and why it fails", async () => {
    const { child, url } = await serve()
    const client = new SluiceClient(url, { token: TOKEN })
    let told = ""
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      told += text
    })
    await client.define("default", "1000000/day")
    await client.check("a")
    renameSync(scratch.file("data"), scratch.file("moved"))
    await expect.poll(() => client.check("a").catch(({ code }: SluiceError) => code)).toBe("STORE_UNAVAILABLE")
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
    expect(answer.status).toBe(200)
    const text = await answer.text()
    expect(text).toMatch(/^sluice_requests_allowed_total\{limit="default"\} [1-9]/m)
    expect(text).not.toMatch(/^sluice_(log_size_bytes|live_keys|limit_rate)/m)
    expect(told).toMatch(/^Cannot reach the store: the file ".*" was deleted, moved or replaced while it was open\.\n$/)
    renameSync(scratch.file("moved"), scratch.file("data"))
    await client.check("a")
  })

  test.skipIf(!existsSync("/usr/bin/prlimit"))(
    "keeps descriptors for its store, and counts those whose connections it closes",
    async () => {
      const { child, url, port } = await servers.serveIn(["/usr/bin/prlimit", "--nofile=52:52"])
      let told = ""
      child.stderr!.setEncoding("utf8").on("data", (text: string) => {
        told += text
      })
      const connections = Array.from({ length: 60 }, () => connect({ port, host: "127.0.0.1" }))
      await expect.poll(() => told).toContain("Closed 1 connection at once: no more than 4 may be open")
      expect(told).toContain('Cannot hold 4096 connections: "ulimit -n" leaves room for 4; further ones are closed.\n')
      for (const connection of connections) connection.destroy()
      const client = new SluiceClient(url, { token: TOKEN })
      await expect
        .poll(() =>
          client.define("default", "9/day").then(
            () => "defined",
            () => "closed",
          ),
        )
        .toBe("defined")
      const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text()
      expect(Number(/^sluice_connections_refused_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(56)
    },
  )

  test("keeps what it answered when it is asked to end, and starts again from it", async () => {
    writeFileSync(scratch.file("sluice.toml"), '[limits.api]\npolicy = "5/day"\n')
    const first = await serve("--config", scratch.file("sluice.toml"), "--sync", "batch", "--flush-every-ms", "60000")
    const client = new SluiceClient(first.url, { token: TOKEN })
    await client.check("a", { limit: "api", cost: 3 })
    first.child.kill("SIGTERM")
    expect(await once(first.child, "exit")).toEqual([0, null])
    const second = await serve()
    const again = new SluiceClient(second.url, { token: TOKEN })
    expect(await again.peek("a", { limit: "api" })).toMatchObject({ remaining: 2, policy: "api" })
  })

  test("refuses a folder that is in use, and an address beyond this machine without a token", async () => {
    await serve()
    const args = ["serve", "--port", "0", "--data-dir", scratch.file("data")]
    expect(await run(args)).toMatchObject({
      code: 1,
      err: expect.stringContaining("another process or thread holds"),
    })
    expect(await run([...args, "--bind", "0.0.0.0"])).toMatchObject({ code: 2 })
    expect(await run([...args, "--token", "short"])).toMatchObject({ code: 2 })
    // Whoever names a token wants one: a secret that is missing must not open the server.
    writeFileSync(scratch.file("empty"), "\n")
    for (const empty of [
      ["--token", ""],
      ["--token-file", scratch.file("empty")],
    ]) {
      const err = expect.stringContaining("the token has 0 characters, allowed are 16 or more")
      expect(await run([...args, ...empty])).toMatchObject({ code: 2, err })
    }
  })

  test("says where another process has the folder how that may be asked, where a command can", async () => {
    await serve()
    const inFolder = ["--data-dir", scratch.file("data")]
    for (const args of [["doctor"], ["check", "a"], ["log", "verify"]]) {
      const err = expect.stringContaining("holds its lock. Where that is sluice serve, --server URL asks it.\n")
      expect(await run([...args, ...inFolder])).toMatchObject({ code: 1, err })
    }
    for (const args of [["repair"], ["log", "export"]]) {
      const err = expect.stringMatching(/holds its lock\.\n$/)
      expect(await run([...args, ...inFolder])).toMatchObject({ code: 1, err })
    }
  })

  test("refuses a group with the name of a limit that the folder has, and a limit with the name of a group", async () => {
    const inFolder = ["--data-dir", scratch.file("data")]
    await run(["init", ...inFolder, "--config", scratch.file("first.toml")])
    expect(await run(["limit", "add", "site", "5/day", ...inFolder])).toMatchObject({ code: 0 })
    writeFileSync(scratch.file("sluice.toml"), '[limits.api]\npolicy = "5/day"\n[groups.site]\nlimits = ["api"]\n')
    const configured = ["--config", scratch.file("sluice.toml")]
    expect(await run(["serve", "--port", "0", ...inFolder, ...configured])).toMatchObject({
      code: 2,
      err: expect.stringContaining('a name in groups is "site", allowed is a name that no limit of the store has'),
    })
    await run(["limit", "remove", "site", ...inFolder])
    const client = new SluiceClient((await serve(...configured)).url, { token: TOKEN })
    await expect(client.define("site", "5/day")).rejects.toThrow('name is "site", allowed is a name that no group')
    expect(await client.check("a", { limit: "site" })).toMatchObject({ remaining: 4 })
  })

  test("counts a group's check that its folder could not decide as one of each of its limits", async () => {
    const config = 'limits = { api = "1000000/day", org = "1000000/day" }\ngroups.both.limits = ["api", "org"]\n'
    writeFileSync(scratch.file("sluice.toml"), config)
    const { url } = await serve("--config", scratch.file("sluice.toml"))
    const client = new SluiceClient(url, { token: TOKEN, retries: 0 })
    renameSync(scratch.file("data"), scratch.file("moved"))
    const isFailing = () =>
      client.check("a", { limit: "api" }).then(
        () => false,
        () => true,
      )
    await expect.poll(isFailing).toBe(true)
    const { failures } = await client.totals()
    await expect(client.check("a", { limit: "both" })).rejects.toThrow()
    expect((await client.totals()).failures).toBe(failures + 2)
  })

  test("has the command line say of a key on a deny list that no wait helps", async () => {
    writeFileSync(scratch.file("sluice.toml"), 'deny = { keys = ["eve"] }\n[limits.api]\npolicy = "5/day"\n')
    const { url } = await serve("--config", scratch.file("sluice.toml"))
    const ask = async (verb: string) => (await run([verb, "eve", "-l", "api", "--server", url, "--token", TOKEN])).out
    expect(await ask("check")).toMatch(/^denied {2}eve {2}blocked, 0.* left under deny, no wait helps\n$/)
    expect(await ask("explain")).toMatch(/^admitted from {2}never: no wait helps$/m)
    const explained = await new SluiceClient(url, { token: TOKEN }).explain("eve", { limit: "api" })
    expect(explained).toMatchObject({ nextAdmissionAtMs: null, decision: { retryAfterMs: 0 } })
  })

  test("has the command line tell the limits of a group where a command is about one limit", async () => {
    writeFileSync(
      scratch.file("sluice.toml"),
      'limits = { api = "5/day", org = "9/day" }\ngroups.site.limits = ["api", "org"]',
    )
    const { url } = await serve("--config", scratch.file("sluice.toml"))
    const ask = (...args: string[]) => run([...args, "--limit", "site", "--server", url, "--token", TOKEN])
    expect(await ask("check", "k")).toMatchObject({ code: 0 })
    const verbs = ["status k", "block k 1m", "unblock k", "reset k", "history k", "check-all k"]
    for (const command of ["explain k", "limit top", ...verbs.map((verb) => `limit ${verb}`)]) {
      const err = expect.stringContaining('Cannot find the limit "site": it is a group, of api, org.')
      expect({ command, ...(await ask(...command.split(" "))) }).toMatchObject({ command, code: 2, err })
    }
  })

  test("monitor goes on over a restart of the server, and tells that it was away", async () => {
    const first = await serve()
    const port = String(first.port)
    const ending = new AbortController()
    const told: string[] = []
    const monitor = run(["monitor", "--json", "-i", "50", "--server", first.url, "--token", TOKEN], {
      signal: ending.signal,
      out: () => void told.push("look"),
      err: (text) => void told.push(text),
    })
    await expect.poll(() => told).toContain("look")
    first.child.kill("SIGTERM")
    await once(first.child, "exit")
    await expect.poll(() => told.at(-1)).toContain("did not answer")
    await servers.serveIn([], "--port", port)
    await expect.poll(() => told.at(-1)).toBe("look")
    ending.abort()
    expect((await monitor).code).toBe(0)
    expect(told.filter((text) => text !== "look")).toHaveLength(1)
  })

  test("says of a port that is taken where that is, and what to do", async () => {
    const { port } = await serve()
    const args = ["serve", "--port", String(port), "--data-dir", scratch.file("other")]
    expect(await run(args)).toEqual({
      code: 1,
      out: "",
      err: `error: Cannot serve on 127.0.0.1:${port}: something else listens there; --port names another, 0 any that is free.\n`,
    })
  })

  test("logs decisions as the configuration says", async () => {
    writeFileSync(
      scratch.file("sluice.toml"),
      '[limits.api]\npolicy = "1/day"\n[logging]\nlevel = "info"\nformat = "json"\n',
    )
    const { url, child } = await serve("--config", scratch.file("sluice.toml"))
    const client = new SluiceClient(url, { token: TOKEN })
    const line = once(child.stdout!, "data")
    await client.check("a", { limit: "api" })
    await client.check("a", { limit: "api" })
    expect(JSON.parse(String((await line)[0]))).toMatchObject({ event: "deny", key: "a", policy: "api" })
  })

  test("answers what is asked one after the other on one connection, in order", async () => {
    const { port } = await serve()
    const asked = [
      post("/v1/limits", '{"key":"a","rate":5,"per":"1d"}'),
      post("/v1/check", '{"key":"a"}'),
      post("/v1/check", '{"key":"a"}'),
      `GET /v1/limits/none HTTP/1.1\r\n${AUTH}\r\n`,
    ]
    const received = await raw(port, asked.join(""), 4)
    const bodies = received
      .split(/HTTP\/1\.1 200 OK\r\n/)
      .slice(1)
      .map((answer) => JSON.parse(answer.split("\r\n\r\n")[1]!))
    expect(bodies.map((body) => body?.remaining ?? null)).toEqual([5, 4, 3, null])
  })

  test("reads a body that comes in pieces, and answers meanwhile", async () => {
    const { port, url } = await serve()
    const client = new SluiceClient(url, { token: TOKEN })
    await client.define("a", "5/day")
    const lengths = ["Content-Length: 11\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
    const rests = ['"key":"a"}', 'a\r\n"key":"a"}\r\n0\r\n\r\n']
    for (const [index, begin] of lengths.entries()) {
      const socket = connect({ port, host: "127.0.0.1" })
      socket.write(`POST /v1/check HTTP/1.1\r\n${AUTH}${begin}`)
      expect((await client.peek("a")).remaining).toBe(5 - index)
      socket.write(rests[index]!)
      const [answer] = (await once(socket, "data")) as [Buffer]
      expect(String(answer)).toContain(`"remaining":${4 - index}`)
      socket.destroy()
    }
    const cut = connect({ port, host: "127.0.0.1" })
    cut.end(`POST /v1/check HTTP/1.1\r\n${AUTH}Content-Length: 11\r\n\r\n{"key"`)
    await once(cut.resume(), "close")
    expect((await client.peek("a")).remaining).toBe(3)
  })

  test("answers a HEAD as a GET, without a body", async () => {
    const { port } = await serve()
    const head = (path: string) => `HEAD ${path} HTTP/1.1\r\n${AUTH}\r\n`
    const received = await raw(port, head("/v1/limits") + head("/v1/health") + head("/v1/events"), 3, true)
    expect(received.split("\r\n\r\n").map((part) => part.split("\r\n")[0])).toEqual([
      ...Array.from({ length: 3 }, () => "HTTP/1.1 200 OK"),
      "",
    ])
    expect(received).toMatch(/Content-Length: 2\r\n[\s\S]*Content-Type: text\/event-stream/)
  })

  test("answers a client that closed its side once it had asked", async () => {
    const { port } = await serve()
    const received = await raw(port, `GET /v1/health HTTP/1.1\r\n${AUTH}\r\n`, 1, true)
    expect(received).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"ok":true/)
  })

  test("tells a client that waits for it to go on, unless its body is too long", async () => {
    const { port } = await serve()
    const body = '{"key":"a"}'
    const expecting = post("/v1/peek", body, "Expect: 100-continue\r\n")
    expect(await raw(port, expecting, 2)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400/)
    const tooLong = `POST /v1/peek HTTP/1.1\r\n${AUTH}Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n`
    expect(await raw(port, tooLong, 1)).toMatch(/^HTTP\/1\.1 413 Content Too Large\r\n/)
    const unknown = `GET /v1/health HTTP/1.1\r\n${AUTH}Expect: miracles\r\n\r\n`
    expect(await raw(port, unknown, 1)).toMatch(/^HTTP\/1\.1 417 /)
  })

  test.each([
    [
      "both lengths",
      `POST /v1/check HTTP/1.1\r\n${AUTH}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["two lengths", `POST /v1/check HTTP/1.1\r\n${AUTH}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde`],
    ["a length that is none", `POST /v1/check HTTP/1.1\r\n${AUTH}Content-Length: +5\r\n\r\nabcde`],
    ["an unknown encoding", `POST /v1/check HTTP/1.1\r\n${AUTH}Transfer-Encoding: xchunked\r\n\r\n`],
    [
      "a bare line feed in a chunk",
      `POST /v1/check HTTP/1.1\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n`,
    ],
    ["a folded header", `GET /v1/health HTTP/1.1\r\n${AUTH}X: a\r\n b\r\n\r\n`],
    ["a space before a colon", `GET /v1/health HTTP/1.1\r\n${AUTH}X : a\r\n\r\n`],
    ["no version", "GET /v1/health\r\n\r\n"],
    ["two hosts", `GET /v1/health HTTP/1.1\r\n${AUTH}HOST: y\r\n\r\n`],
    ["no host", `GET /v1/health HTTP/1.1\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`],
  ])("refuses a request with %s, and closes", async (_what, text) => {
    const { port } = await serve()
    expect(await raw(port, `${text}GET /v1/smuggled HTTP/1.1\r\n${AUTH}\r\n`, 1, true)).toMatch(
      /^HTTP\/1\.1 400 (?![\s\S]*HTTP\/1\.1 \d)/,
    )
  })

  test("bounds headers and bodies", async () => {
    const { port, url } = await serve()
    expect(await raw(port, `GET /v1/health HTTP/1.1\r\n${AUTH}X: ${"x".repeat(20_000)}\r\n\r\n`, 1)).toMatch(/ 431 /)
    const chunks = `1000\r\n${" ".repeat(4096)}\r\n`.repeat(17)
    const endless = `POST /v1/check HTTP/1.1\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\n${chunks}`
    expect(await raw(port, endless, 1)).toMatch(/^HTTP\/1\.1 413 /)
    expect((await new SluiceClient(url, { token: TOKEN }).health()).ok).toBe(true)
  })

  test("logs requests without keys and tokens", async () => {
    const { url, child } = await serve("--log-file", scratch.file("requests.log"))
    const secret = { Authorization: `Bearer ${TOKEN}` }
    await fetch(`${url}/v1/limits/the-secret-key?limit=x`, { headers: secret })
    await fetch(`${url}/v1/the-secret-path`, { headers: secret })
    child.kill("SIGTERM")
    await once(child, "exit")
    const log = readFileSync(scratch.file("requests.log"), "utf8")
    expect(log).toContain('"endpoint":"/v1/limits/{key}","status":200')
    expect(log).toContain('"endpoint":null,"status":404')
    expect(log).not.toMatch(/secret|token/i)
  })

  test.skipIf(!existsSync("/dev/full"))("goes on where its log cannot be written, and says so", async () => {
    const { url, child } = await serve("--log-file", "/dev/full")
    const said = once(child.stderr!, "data")
    const client = new SluiceClient(url, { token: TOKEN })
    await client.totals()
    expect(String((await said)[0])).toMatch(/^Cannot write --log-file "\/dev\/full": ENOSPC.*; 1 line is lost\.\n$/)
    expect((await client.health()).ok).toBe(true)
  })

  test("opens its log anew on SIGHUP, and goes on with the old one where that cannot be", async () => {
    mkdirSync(scratch.file("logs"))
    const { url, child } = await serve("--log-file", scratch.file("logs/requests.log"))
    const client = new SluiceClient(url, { token: TOKEN })
    await client.health()
    renameSync(scratch.file("logs"), scratch.file("moved"))
    child.kill("SIGHUP")
    await client.doctor()
    mkdirSync(scratch.file("logs"))
    child.kill("SIGHUP")
    await expect.poll(() => existsSync(scratch.file("logs/requests.log"))).toBe(true)
    await client.totals()
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
    const endpointsOf = (file: string) => {
      return [...readFileSync(scratch.file(file), "utf8").matchAll(/"endpoint":"([^"]*)"/g)].map(([, path]) => path)
    }
    expect(endpointsOf("moved/requests.log")).toEqual(["/v1/health", "/v1/doctor"])
    expect(endpointsOf("logs/requests.log")).toEqual(["/v1/totals"])
  })

  test("tells keys in its metrics as a keyed hash, the same after a restart", async () => {
    const labels: string[] = []
    for (let run = 0; run < 2; run++) {
      const { url, child } = await serve("--metrics-keys", "hash")
      const client = new SluiceClient(url, { token: TOKEN })
      await client.define("default", "5/day")
      await client.check("192.0.2.1")
      const text = await (await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } })).text()
      labels.push(/sluice_top_allowed_checks\{key="([0-9a-f]{16})"\}/.exec(text)![1]!)
      child.kill("SIGTERM")
      await once(child, "exit")
    }
    expect(labels[0]).toBe(labels[1])
    expect(labels[0]).not.toBe(createHash("sha256").update("192.0.2.1").digest("hex").slice(0, 16))
  })

  test("streams decisions, and resumes where a reader was", async () => {
    const { url, child } = await serve()
    const client = new SluiceClient(url, { token: TOKEN })
    await client.define("default", "2/day")
    await client.check("before")
    const ending = new AbortController()
    const heard: string[] = []
    for await (const { key, allowed } of client.events({ replay: 10, signal: ending.signal })) {
      heard.push(`${key} ${allowed}`)
      if (heard.length === 1) for (const key of ["a", "a", "a"]) await client.check(key)
      if (heard.length === 4) ending.abort()
    }
    expect(heard).toEqual(["before true", "a true", "a true", "a false"])
    const read = async (id: string) => {
      const response = await fetch(`${url}/v1/events`, {
        headers: { Authorization: `Bearer ${TOKEN}`, "Last-Event-ID": id },
      })
      let text = ""
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk
        if (text.includes('"allowed":false')) break
      }
      return text
    }
    const all = await read("unknown-0")
    const ids = [...all.matchAll(/^id: (.*)\nevent: /gm)].map(([, id]) => id!)
    expect(ids).toHaveLength(4)
    expect([...(await read(ids[2]!)).matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual([ids[2], ids[3]])
    // An open stream holds up no end.
    const open = await fetch(`${url}/v1/events`, { headers: { Authorization: `Bearer ${TOKEN}` } })
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
    await expect(open.text().then((text) => text.startsWith("retry: 1000"))).resolves.toBe(true)
  })

  test("the commands work on a server as on a folder", async () => {
    const { url } = await serve()
    const sluice = (...args: string[]) => run(args, { env: { SLUICE_SERVER: url, SLUICE_TOKEN: TOKEN } })
    expect((await sluice("limit", "add", "api", "1/day")).code).toBe(0)
    expect((await sluice("check", "a", "-l", "api")).code).toBe(0)
    expect((await sluice("check", "a", "-l", "api")).code).toBe(3)
    expect((await sluice("limit", "status", "a", "-l", "api")).out).toMatch(/denied +1 /)
    expect((await sluice("limit", "list")).out).toContain("api")
    expect((await sluice("limit", "top")).out).toContain("a ")
    expect((await sluice("explain", "a", "-l", "api")).out).toContain("would be denied")
    expect((await sluice("doctor")).out).toContain("All is well.")
    expect((await sluice("log", "verify")).code).toBe(0)
    expect((await sluice("log", "tail", "-n", "2")).out).toMatch(/admit[\s\S]*deny/)
    const told = JSON.parse((await sluice("log", "tail", "-n", "1", "--json")).out)
    expect(Object.keys(told)).toEqual(["at", "event", "limit", "key", "units", "count"])
    expect(new Date(told.at).toISOString()).toBe(told.at)
    const totals = JSON.parse((await sluice("monitor", "--json", "-n", "1", "-i", "50")).out)
    expect(totals).toMatchObject({ at: expect.stringMatching(/^\d{4}-.*Z$/), denied: 1 })
    const { signal } = new AbortController()
    const looks = await run(["monitor", "-n", "3", "-i", "50"], {
      signal,
      env: { SLUICE_SERVER: url, SLUICE_TOKEN: TOKEN },
    })
    expect(looks.out).toContain("Denied most")
    expect(getEventListeners(signal, "abort")).toEqual([])
    expect((await sluice("limit", "remove", "api")).code).toBe(0)
    const refused = await run(["limit", "list"], { env: { SLUICE_SERVER: url, SLUICE_TOKEN: "wrong-wrong-wrong" } })
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringContaining("the one of this server. SLUICE_TOKEN or --token tells it."),
    })
  })
})
