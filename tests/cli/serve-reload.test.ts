import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { rmSync, writeFileSync } from "node:fs"
import process from "node:process"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Hangups } from "../../src/cli/hangups.node.js"
import { ServedConfig } from "../../src/cli/served-config.node.js"
import { SluiceClient } from "../../src/client/index.js"
import { configPolicies, limitNameFor, parseConfig } from "../../src/config/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { run } from "./run.js"
import { Servers, TOKEN } from "./servers.js"

let servers: Servers
beforeEach(() => {
  servers = new Servers()
})
afterEach(() => servers[Symbol.dispose]())

const FIRST = `
limits.api = { policy = "10/day" }
tenants.acme.limits.api = "100/day"`
const file = () => servers.scratch.file("sluice.toml")

async function serve(...args: string[]) {
  writeFileSync(file(), FIRST)
  const { url, child } = await servers.serve("--config", file(), ...args)
  const client = new SluiceClient(url, { token: TOKEN })
  const reload = async (text: string) => {
    writeFileSync(file(), text)
    const said = once(child.stderr!, "data")
    child.kill("SIGHUP")
    return String((await said)[0])
  }
  const metrics = async () => {
    const text = await (await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } })).text()
    return (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]
  }
  return { url, child, client, reload, metrics }
}

describe("ServedConfig", () => {
  test("has the names and the log of a reload while it is under way, and those of before where it fails", async () => {
    const before = parseConfig('limits.api = "10/day"')
    const after = parseConfig('limits.api = "20/day"\nlimits.org = "20/day"\nlogging = { level = "info" }')
    const limits = new MemoryLimits({ limits: configPolicies(before) })
    const lines: string[] = []
    const log = (line: string) => void lines.push(line)
    const served = new ServedConfig(before, limits, { info: log, error: log })
    const commit = Promise.withResolvers<never>()
    const defining = vi.spyOn(limits, "define").mockReturnValueOnce(commit.promise as never)
    const told = Promise.withResolvers<unknown>()
    let hangUp = () => {}
    const hangups = {
      onEach(hear: () => void) {
        hangUp = hear
      },
    } as Hangups
    served.reloadOn(hangups, () => after, told.resolve)
    hangUp()
    await vi.waitFor(() => expect(defining).toHaveBeenCalledTimes(2))
    const denial = limits.check("u", { limit: "api", cost: 10 })
    const tell = () => served.onDecision({ ...denial, allowed: false }, { name: "api", label: "api" })
    expect([...served.names]).toEqual(["api", "org"])
    tell()
    commit.reject(new StoreUnavailable("the disk is full"))
    expect(await told.promise).toMatchObject({ code: "STORE_UNAVAILABLE" })
    expect([...served.names]).toEqual(["api"])
    tell()
    expect(lines).toEqual([expect.stringContaining("sluice deny")])
  })
})

describe("sluice serve --config", () => {
  test("has the limits of tiers and tenants from its start, and tells them by name in its metrics", async () => {
    const { client, metrics } = await serve()
    const name = limitNameFor(parseConfig(FIRST), "api", { tenant: "acme" })
    expect(await client.check("u", { limit: name })).toMatchObject({ limit: 100, remaining: 99 })
    expect((await metrics())(String.raw`sluice_requests_allowed_total\{limit="api\\ntenant:acme"\}`)).toBe("1")
  })

  test("puts its file in force anew on SIGHUP: policies, costs, lists, groups, tenants and the log", async () => {
    const { client, child, reload, metrics } = await serve()
    expect((await metrics())("sluice_config_last_reload_successful")).toBe("1")
    await client.check("u", { limit: "api", cost: 4 })
    const said = await reload(`
      deny.keys = ["mallory"]
      limits.api = { policy = "20/day", cost = 3 }
      limits.org = { policy = "50/day" }
      groups.both.limits = ["api", "org"]
      tenants.acme.limits.api = "200/day"
      logging = { level = "info", decisions = "all", format = "json" }`)
    expect(said).toBe("The configuration was read anew and is in force.\n")
    const line = once(child.stdout!, "data")
    expect(await client.check("u", { limit: "api" })).toMatchObject({ cost: 3, remaining: 13 })
    expect(JSON.parse(String((await line)[0]))).toMatchObject({ event: "admit", limit_name: "api" })
    expect(await client.check("mallory", { limit: "api" })).toMatchObject({ reason: "blocked" })
    expect(await client.check("u", { limit: "both", cost: 1 })).toMatchObject({ remaining: 12 })
    expect(await client.check("u", { limit: "api\ntenant:acme" })).toMatchObject({ limit: 200 })
    expect((await metrics())(String.raw`sluice_limit_rate\{limit="org"\}`)).toBe("50")
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
  })

  test.each([
    ['limits.api = { polcy = "1/day" }', /^Cannot read --config ".*sluice\.toml": a field of limits\.api is "polcy"/],
    [
      'limits.x.policy = "1/day"\ngroups.api.limits = ["x"]',
      /^Cannot read --config ".*sluice\.toml": a name in groups/,
    ],
  ])("goes on with the configuration before where the file cannot be, and says so: %s", async (text, message) => {
    const { client, reload, metrics } = await serve("--log-file", servers.scratch.file("log"))
    const loadedAt = "sluice_config_last_reload_success_timestamp_seconds"
    const before = (await metrics())(loadedAt)
    const said = await reload(text)
    expect(said).toMatch(message)
    expect(said).toMatch(/ The configuration before goes on\.\n$/)
    expect(await client.check("u", { limit: "api" })).toMatchObject({ limit: 10, remaining: 9 })
    const value = await metrics()
    expect([value("sluice_config_last_reload_successful"), value(loadedAt)]).toEqual(["0", before])
  })

  test.skipIf(process.platform === "win32")(
    "goes on with the configuration before where its file is a pipe",
    async () => {
      const { client, child, metrics } = await serve()
      rmSync(file())
      execFileSync("mkfifo", [file()])
      const said = once(child.stderr!, "data")
      child.kill("SIGHUP")
      expect(String((await said)[0])).toMatch(
        /^Cannot read --config ".*sluice\.toml" anew: allowed is a regular file\. The configuration before goes on\.\n$/,
      )
      expect(await client.check("u", { limit: "api" })).toMatchObject({ limit: 10, remaining: 9 })
      expect((await metrics())("sluice_config_last_reload_successful")).toBe("0")
    },
  )

  test("reads its file anew once it has the folder, where SIGHUP comes while it waits for that", async () => {
    const holder = await servers.serve()
    writeFileSync(file(), FIRST)
    const said = Promise.withResolvers<string>()
    const end = new AbortController()
    const before = process.listenerCount("SIGHUP")
    const args = ["serve", "--port", "0", "--data-dir", servers.scratch.file("data"), "--config", file()]
    const running = run([...args, "--lock-timeout", "60s"], { err: said.resolve, signal: end.signal })
    await vi.waitFor(() => expect(process.listenerCount("SIGHUP")).toBe(before + 1))
    writeFileSync(file(), 'limits.api.policy = "20/day"')
    process.emit("SIGHUP")
    holder.child.kill("SIGTERM")
    expect(await said.promise).toBe("The configuration was read anew and is in force.\n")
    end.abort()
    expect(await running).toMatchObject({ code: 0 })
    expect(process.listenerCount("SIGHUP")).toBe(before)
  })

  test("names the file that cannot be at its start", async () => {
    writeFileSync(file(), "limits.api = 1\n")
    const args = ["serve", "--port", "0", "--data-dir", servers.scratch.file("data"), "--config", file(), "--json"]
    const { code, err } = await run(args)
    expect(code).toBe(2)
    expect(JSON.parse(err)).toEqual({
      code: "CONFIG_INVALID",
      error: expect.stringMatching(/^Cannot read --config ".*sluice\.toml": limits\.api is 1, allowed is /),
    })
  })
})
