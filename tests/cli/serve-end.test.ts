import { once } from "node:events"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { COMMANDS } from "../../src/cli/commands/index.node.js"
import { runCli } from "../../src/cli/run-cli.node.js"
import type { Terminal } from "../../src/cli/terminal.js"
import { SluiceClient } from "../../src/client/index.js"
import { AUTH, post, RawConnection, refusing, type Served, Servers, TOKEN } from "./servers.js"

let servers: Servers

beforeEach(() => {
  servers = new Servers()
})
afterEach(() => servers[Symbol.dispose]())

const CHECK = post("/v1/check", '{"key":"a"}')

async function serveLimit(...args: string[]): Promise<Served> {
  const served = await servers.serve(...args)
  await new SluiceClient(served.url, { token: TOKEN }).define("a", "1000000/day")
  return served
}

/** Asks it to end, and waits until it has heard. */
async function end({ child, port }: Served): Promise<void> {
  child.kill("SIGTERM")
  await refusing(port)
}

/** How many checks of `a` the folder has admitted. */
async function charged(): Promise<number> {
  const { url } = await servers.serve()
  return (await new SluiceClient(url, { token: TOKEN }).stats("a")).totalAllowed
}

describe("sluice serve, asked to end", () => {
  test("answers what had been sent on kept connections, and ends them", async () => {
    const served = await serveLimit()
    const kept = Array.from({ length: 20 }, () => new RawConnection(served.port))
    for (const { socket } of kept) {
      socket.write(CHECK)
      await once(socket, "data")
    }
    await Promise.all(kept.map(({ socket }) => new Promise((resolve) => socket.write(CHECK, resolve))))
    served.child.kill("SIGTERM")
    expect(await Promise.all(kept.map(({ ended }) => ended))).toEqual(kept.map(() => "end"))
    for (const { bodies } of kept) {
      expect(bodies).toEqual([expect.objectContaining({ allowed: true }), expect.objectContaining({ allowed: true })])
    }
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await charged()).toBe(40)
  })

  test("ends in order at a signal that comes as soon as it says that it serves", async () => {
    const seen: string[] = []
    const ending = new AbortController()
    const write = (text: string) => void seen.push(text.startsWith("sluice serves") ? "serves" : text)
    const terminal: Terminal = {
      ...{
        read: async () => "",
        out: write,
        err: write,
        isTty: false,
        isErrTty: false,
        columns: 100,
        rows: 24,
        env: {},
      },
      log(text) {
        write(text)
        ending.abort()
      },
      get signal() {
        seen.push("hears signals")
        return ending.signal
      },
    }
    const args = ["serve", "--port", "0", "--data-dir", servers.scratch.file("data")]
    expect(await runCli(args, terminal, COMMANDS, "1.2.3")).toBe(0)
    expect(seen).toEqual(["hears signals", "serves"])
  })

  test("ends in order where its terminal is closed and it has no log to open anew", async () => {
    const served = await serveLimit("--sync", "batch", "--flush-every-ms", "60000")
    const kept = new RawConnection(served.port)
    kept.socket.write(CHECK)
    await once(kept.socket, "data")
    served.child.kill("SIGHUP")
    // It may be told more than once.
    await refusing(served.port)
    served.child.kill("SIGHUP")
    expect(await kept.ended).toBe("end")
    kept.socket.destroy()
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await charged()).toBe(1)
  })

  test("answers those too who had connected, and whom it had not let in yet", async () => {
    const served = await serveLimit()
    served.child.kill("SIGSTOP")
    const early = Array.from({ length: 20 }, () => new RawConnection(served.port))
    await Promise.all(early.map(({ socket }) => new Promise((resolve) => socket.write(CHECK, resolve))))
    served.child.kill("SIGTERM")
    served.child.kill("SIGCONT")
    expect(await Promise.all(early.map(({ ended }) => ended))).toEqual(early.map(() => "end"))
    expect(early.map(({ bodies }) => bodies.length)).toEqual(early.map(() => 1))
  })

  test("under load resets no connection, and charges nothing that it does not answer", async () => {
    const served = await serveLimit()
    let admitted = 0
    const outcomes: string[] = []
    const load = Array.from({ length: 16 }, async () => {
      const connection = new RawConnection(served.port)
      let said = 0
      connection.socket.on("data", () => {
        const { bodies, received } = connection
        for (; said < bodies.length; said++) {
          admitted++
          if (admitted === 200) served.child.kill("SIGTERM")
          if (!/Connection: close/.test(received)) connection.socket.write(CHECK)
        }
      })
      connection.socket.write(CHECK)
      outcomes.push(await connection.ended)
      connection.socket.end()
    })
    await Promise.all(load)
    expect(new Set(outcomes)).toEqual(new Set(["end"]))
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await charged()).toBe(admitted)
  })

  test("resets nobody who connects again once told that the connection is closed", async () => {
    const outcomes: string[] = []
    for (let round = 0; round < 4; round++) {
      const { child, port } = await serveLimit()
      let answers = 0
      const askOn = async (): Promise<void> => {
        const connection = new RawConnection(port)
        const told = new Promise<string>((resolve) => {
          connection.socket.on("data", () => {
            answers++
            if (answers === 400) child.kill("SIGTERM")
            if (/Connection: close/.test(connection.received)) resolve("told")
            else connection.socket.write(CHECK)
          })
        })
        connection.socket.write(CHECK)
        const outcome = await Promise.race([told, connection.ended])
        connection.socket.end()
        if (outcome === "told") return askOn()
        outcomes.push(outcome)
      }
      await Promise.all(Array.from({ length: 40 }, askOn))
      expect(await once(child, "exit")).toEqual([0, null])
    }
    expect(outcomes).toEqual(outcomes.map(() => "ECONNREFUSED"))
  })

  test("finishes what is being asked, with what follows it on its connection, and ends streams that begin", async () => {
    const served = await serveLimit()
    const connection = new RawConnection(served.port)
    const answered = once(connection.socket, "data")
    connection.socket.write(CHECK + CHECK.slice(0, -4))
    await answered
    await end(served)
    connection.socket.write(`${CHECK.slice(-4)}${CHECK}GET /v1/events HTTP/1.1\r\n${AUTH}\r\n`)
    expect(await connection.ended).toBe("end")
    const statuses = connection.received.match(/HTTP\/1\.1 \d.*$|^Connection: .*$/gm)
    expect(statuses).toEqual([
      ...["HTTP/1.1 200 OK", "Connection: keep-alive", "HTTP/1.1 200 OK", "Connection: keep-alive"],
      ...["HTTP/1.1 200 OK", "Connection: keep-alive", "HTTP/1.1 200 OK", "Connection: close"],
    ])
    expect(connection.received).toContain("retry: 1000")
    connection.socket.destroy()
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect(await charged()).toBe(3)
  })

  test("ends a silent connection without resetting it, and waits for nobody who keeps it open", async () => {
    const served = await serveLimit()
    const [silent, kept] = [new RawConnection(served.port), new RawConnection(served.port)]
    kept.socket.write(CHECK)
    await Promise.all([once(kept.socket, "data"), once(silent.socket, "connect")])
    await end(served)
    expect(await Promise.all([silent.ended, kept.ended])).toEqual(["end", "end"])
    let failure: unknown = null
    kept.socket.on("error", (error) => {
      failure = error
    })
    await new Promise((resolve) => kept.socket.write(CHECK, resolve))
    expect(await once(served.child, "exit")).toEqual([0, null])
    expect({ failure, answers: kept.bodies.length }).toEqual({ failure: null, answers: 1 })
    expect(await charged()).toBe(1)
  })
})
