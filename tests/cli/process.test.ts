import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { expect, test } from "vitest"
import { textWidth } from "../../src/cli/text-width.js"
import { run, Scratch } from "./run.js"
import { Servers, TOKEN } from "./servers.js"

const MAIN = join(import.meta.dirname, "../../dist/src/cli/main.node.js")
const START_MS = Date.parse("2026-11-21T12:00:00Z")
const FULL = "/dev/full"

function sluice(args: readonly string[], stdio: SpawnSyncOptions["stdio"]) {
  return spawnSync(process.execPath, [MAIN, ...args], { stdio, encoding: "utf8", timeout: 20_000 })
}

test.skipIf(!existsSync(FULL))("output that a full disk does not take is exit code 1, and told", async () => {
  using scratch = new Scratch()
  const folder = ["--data-dir", scratch.file("data")]
  await run(["init", ...folder, "--config", scratch.file("sluice.toml")])
  const full = openSync(FULL, "w")
  try {
    for (const args of [["--version"], ["log", "export", ...folder], ["check", "a", ...folder]]) {
      const { status, stderr } = sluice(args, ["ignore", full, "pipe"])
      expect([status, stderr], args.join(" ")).toEqual([1, expect.stringMatching(/^error: Cannot write .*ENOSPC/)])
    }
  } finally {
    closeSync(full)
  }
})

test.skipIf(process.platform === "win32")("a reader that stops early is no failure", async () => {
  using scratch = new Scratch()
  const folder = ["--data-dir", scratch.file("data")]
  await run(["init", ...folder, "--config", scratch.file("sluice.toml")])
  const child = spawn(process.execPath, [MAIN, "log", "export", ...folder], { stdio: ["ignore", "pipe", "pipe"] })
  child.stdout.destroy()
  expect(await once(child, "exit")).toEqual([0, null])
})

test.skipIf(process.platform === "win32")("a check whose reader is gone is denied all the same", async () => {
  using scratch = new Scratch()
  const folder = ["--data-dir", scratch.file("data")]
  await run(["init", ...folder, "--config", scratch.file("sluice.toml")])
  await run(["limit", "add", "once", "1/day", ...folder])
  for (const code of [0, 3]) {
    const args = [MAIN, "check", "a", "--limit", "once", ...folder]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.destroy()
    expect(await once(child, "exit")).toEqual([code, null])
  }
})

test.skipIf(!existsSync(FULL))("bad input is exit code 2 also where its message finds no room", () => {
  const full = openSync(FULL, "w")
  try {
    expect(sluice(["check"], ["ignore", "pipe", full])).toMatchObject({ status: 2, stdout: "" })
  } finally {
    closeSync(full)
  }
})

test.skipIf(process.platform === "win32")("keys that are no UTF-8 are refused, not taken for one", async () => {
  using scratch = new Scratch()
  const folder = ["--data-dir", scratch.file("data")]
  await run(["init", ...folder, "--config", scratch.file("sluice.toml")])
  for (const bytes of ["\\377\\376", "\\377\\375"]) {
    const typed = `"$0" "$1" check "$(printf '${bytes}')" --data-dir "$2"`
    const { status, stderr } = spawnSync("sh", ["-c", typed, process.execPath, MAIN, folder[1]!], { encoding: "utf8" })
    expect([status, stderr]).toEqual([2, expect.stringContaining("allowed is UTF-8 without U+FFFD")])
  }
  expect(JSON.parse((await run(["limit", "top", "--json", ...folder])).out)).toEqual([])
})

test.skipIf(!existsSync("/dev/zero"))("a device that never ends is not read to its end", () => {
  for (const option of ["--token-file", "--config"]) {
    const { status, stderr } = sluice(["serve", "--port", "0", option, "/dev/zero"], "pipe")
    expect([status, stderr]).toEqual([2, expect.stringContaining("it is longer than 16777216 bytes")])
  }
})

test.skipIf(process.platform === "win32")("what goes on by itself ends when nobody reads it", async () => {
  using server = new Servers()
  const { url } = await server.serve()
  const args = [MAIN, "monitor", "--interval", "50", "--server", url, "--token", TOKEN]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
  child.stdout.destroy()
  expect(await once(child, "exit")).toEqual([0, null])
})

test.skipIf(process.platform === "win32")(
  "a command that has nothing to end in good order ends by a signal",
  async () => {
    // Never answers.
    const asked = Promise.withResolvers<void>()
    const server = createServer(() => asked.resolve()).listen(0, "127.0.0.1")
    await once(server, "listening")
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const child = spawn(process.execPath, [MAIN, "limit", "list", "--server", url], { stdio: "ignore" })
    try {
      await asked.promise
      child.kill("SIGINT")
      expect(await once(child, "exit")).toEqual([null, "SIGINT"])
    } finally {
      child.kill("SIGKILL")
      server.closeAllConnections()
      server.close()
    }
  },
)

test("init makes another data folder beside a sluice.toml that is there, keeps that, and makes no folder twice", async () => {
  using scratch = new Scratch()
  const init = (...args: string[]) => {
    const options = { cwd: scratch.path, encoding: "utf8", timeout: 20_000 } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "init", ...args], options)
    return { status, stdout, stderr }
  }
  expect(init()).toMatchObject({ status: 0, stdout: expect.stringContaining("Made sluice-data and sluice.toml.") })
  const config = '[limits.own]\npolicy = "7/minute"\n'
  writeFileSync(scratch.file("sluice.toml"), config)
  expect(init("--data-dir", "second")).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("Made second with the limits of sluice.toml, kept sluice.toml, which was there."),
  })
  const { out } = await run(["limit", "list", "--json", "--data-dir", scratch.file("second")])
  expect(JSON.parse(out)).toMatchObject([{ name: "own" }])
  const third = init("--data-dir", "third", "--json")
  expect(JSON.parse(third.stdout)).toEqual({ dataDir: "third", config: "sluice.toml", keptConfig: true })
  expect(readFileSync(scratch.file("sluice.toml"), "utf8")).toBe(config)
  expect(init("--data-dir", "second")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^error: Cannot make "second": it is a data folder already\. sluice serve --config /),
  })
  // One that is named is to be made.
  expect(init("--data-dir", "fourth", "--config", "sluice.toml")).toMatchObject({ status: 2 })
  expect(existsSync(scratch.file("fourth"))).toBe(false)
})

test.skipIf(process.platform === "win32")(
  "init of a folder that the disk does not take leaves nothing that it made, and can be run again",
  () => {
    using scratch = new Scratch()
    mkdirSync(scratch.file("there"))
    writeFileSync(scratch.file("there/note"), "")
    // The configuration is smaller than any file may grow here, SQLite's first pages are not.
    const limited = (...args: string[]) =>
      spawnSync("sh", ["-c", 'ulimit -f 8; "$@"', "sh", process.execPath, MAIN, "init", ...args], {
        cwd: scratch.path,
        encoding: "utf8",
        timeout: 20_000,
      })
    for (const folder of ["new/data", "there", "there/data"]) {
      for (let times = 0; times < 2; times++) {
        const { status, stderr } = limited("--data-dir", folder, "--config", "made.toml")
        expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("SQLite says") })
      }
    }
    expect(readdirSync(scratch.path, { recursive: true }).sort()).toEqual(["there", "there/note"])
    const { status } = spawnSync(process.execPath, [MAIN, "init", "--data-dir", "there"], { cwd: scratch.path })
    expect(status).toBe(0)
  },
  60_000,
)

/** Runs lines of a shell in a terminal of its own, and tells all that it shows. */
function inTerminal(lines: string, ...values: string[]): Promise<string> {
  const child = spawn("script", ["-qec", `sh -c '${lines}' sh ${values.join(" ")}`, "/dev/null"], {
    env: { ...process.env, TERM: "xterm", SHELL: "/bin/sh" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  return text(child.stdout)
}

const HAS_TERMINALS = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0

test.skipIf(!HAS_TERMINALS)("monitor goes by the size that its terminal has at each look", async () => {
  using scratch = new Scratch()
  const [framed, resized, ended] = [scratch.file("framed"), scratch.file("resized"), scratch.file("ended")]
  let looks = 0
  let resizedLooks = 0
  const server = createServer((_, response) => {
    // Each look comes after the frame of the look before.
    if (looks === 2) writeFileSync(framed, "")
    if (existsSync(resized) && resizedLooks++ === 2) writeFileSync(ended, "")
    const counts = { allowed: looks, denied: 0, allowed_cost: looks, denied_cost: 0, failures: 0 }
    const at = new Date(START_MS + looks++ * 1_000).toISOString()
    response.end(JSON.stringify({ at, ...counts, most_denied: [], most_allowed: [] }))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const shown = await inTerminal(
    'await() { until [ -e "$1" ]; do sleep 0.05; done; }; stty cols 60; "$1" "$2" monitor --no-color -i 50 --server "$3" & ' +
      'await "$4"; stty cols 25; : > "$5"; await "$6"; kill $!; wait',
    ...[process.execPath, MAIN, url, framed, resized, ended],
  )
  server.close()
  const widths = shown
    .split("\u001b[H\u001b[J")
    .slice(1)
    .map((frame) => textWidth(frame.split("\r\n")[0]!))
  expect(widths[0]).toBeGreaterThan(25)
  expect(widths.at(-1)).toBe(25)
})
