import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, constants, existsSync, openSync, writeFileSync, writeSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { type Served, Servers, TOKEN } from "./servers.js"

let servers: Servers

beforeEach(() => {
  servers = new Servers()
})
afterEach(() => servers[Symbol.dispose]())

const FULL = "/dev/full"
const CONFIG = '[limits.api]\npolicy = "1000/day"\n[logging]\nlevel = "info"\ndecisions = "all"\n'

/** The options of a server that writes a line for each decision, and would lose all of them if it were killed. */
function logging(): string[] {
  writeFileSync(servers.scratch.file("sluice.toml"), CONFIG)
  return ["--config", servers.scratch.file("sluice.toml"), "--sync", "batch", "--flush-every-ms", "60000"]
}

async function check({ url }: Served, times: number): Promise<void> {
  const client = new SluiceClient(url, { token: TOKEN })
  for (let asked = 0; asked < times; asked++) await client.check("a", { limit: "api" })
}

async function charged(): Promise<number> {
  const { url } = await servers.serve()
  return (await new SluiceClient(url, { token: TOKEN }).stats("a", { limit: "api" })).totalAllowed
}

async function errorsOf({ child }: Served): Promise<string> {
  let told = ""
  for await (const chunk of child.stderr!) told += chunk
  return told
}

describe("sluice serve, whose log nobody takes", () => {
  test("goes on where nobody reads its output any more, tells that once, and flushes in the end", async () => {
    const served = await servers.serve(...logging())
    const told = errorsOf(served)
    served.child.stdout!.destroy()
    await check(served, 20)
    served.child.kill("SIGTERM")
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await told).toBe(
      "Cannot write to standard output: write EPIPE; lines are lost until that takes them again.\n",
    )
    expect(await charged()).toBe(20)
  })

  test("goes on where nobody reads its errors any more", async () => {
    const served = await servers.serve(
      ...logging(),
      "--log-file",
      existsSync(FULL) ? FULL : servers.scratch.file("log"),
    )
    served.child.stderr!.destroy()
    served.child.stdout!.destroy()
    await check(served, 3)
    served.child.kill("SIGTERM")
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await charged()).toBe(3)
  })

  test.skipIf(process.platform === "win32")("goes on where the reader of its log does not read on", async () => {
    const pipe = servers.scratch.file("pipe")
    execFileSync("mkfifo", [pipe])
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      // To the last byte: a short line would find room.
      for (const bytes of [1_000, 1]) {
        expect(() => {
          for (;;) writeSync(writer, Buffer.alloc(bytes))
        }).toThrow(/^EAGAIN/)
      }
      const served = await servers.serve(...logging(), "--log-file", pipe)
      const told = errorsOf(served)
      await check(served, 1)
      // Lines are written every 200 ms.
      await new Promise((resolve) => setTimeout(resolve, 300))
      await check(served, 1)
      served.child.kill("SIGTERM")
      expect(await once(served.child, "exit")).toEqual([0, null])
      expect(await told).toBe(
        `Cannot write --log-file ${JSON.stringify(pipe)}: its reader does not read on; 2 lines are lost.\n`,
      )
      expect(await charged()).toBe(2)
    } finally {
      closeSync(reader)
      closeSync(writer)
    }
  })

  test.skipIf(process.platform === "win32")("is refused where its log is a pipe that nobody reads from", async () => {
    const pipe = servers.scratch.file("pipe")
    execFileSync("mkfifo", [pipe])
    await expect(servers.serve("--log-file", pipe)).rejects.toThrow("it is a pipe that nobody reads from, or a socket.")
  })

  test.skipIf(!existsSync(FULL))("goes on where the disk of its errors is full", async () => {
    const served = await servers.serveIn(
      ["sh", "-c", `exec "$0" "$@" 2>${FULL}`],
      ...logging(),
      // A line on standard error, at the first request.
      ...["--log-file", FULL],
    )
    await check(served, 2)
    // What is to be told is written within 200 ms.
    await new Promise((resolve) => setTimeout(resolve, 300))
    await check(served, 1)
    served.child.kill("SIGTERM")
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await charged()).toBe(3)
  })
})
