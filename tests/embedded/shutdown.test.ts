import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { closeOnSignals } from "../../src/embedded/shutdown.node.js"
import { ROOT } from "../conformance/run-in-runtime.js"
import { turn } from "../ledger/watched-port.js"
import { open } from "./store-files.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)
afterEach(() => {
  vi.restoreAllMocks()
})
vi.setConfig({ testTimeout: 60_000 })

/** More than the listeners that Node takes without a warning. */
const LIMITERS = 14

/** To early versions of Node 22 its SQLite is an experiment, of which they warn. */
const QUIET = "--disable-warning=ExperimentalWarning"

/** Runs a program in which `limiters` are open, each with 4 of 9 units of a key told and not flushed. */
function runProgram(path: string, rest: string) {
  const program = `
    import { openLimiter } from "sluice/embedded"
    const folder = ${JSON.stringify(path)}
    const listeners = () => process.listenerCount("SIGTERM") + process.listenerCount("SIGINT")
    let onCommit = () => {}
    async function openAll() {
      const limiters = []
      for (let number = 0; number < ${LIMITERS}; number++) {
        const limiter = await openLimiter({
          path: folder + "/" + number,
          sync: "batch",
          flushEveryMs: 3_600_000,
          policy: "9/day",
          closeOn: ["SIGTERM", "SIGINT"],
          onCommit: () => onCommit(),
        })
        await limiter.check("a", { cost: 4 })
        limiters.push(limiter)
      }
      return limiters
    }
    ${rest}`
  return spawnSync(process.execPath, [QUIET, "--input-type=module", "--eval", program], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 30_000,
    // A program that hears its signals and hangs is ended all the same.
    killSignal: "SIGKILL",
  })
}

async function remainingOfAll(path: string): Promise<number[]> {
  const found: number[] = []
  for (let number = 0; number < LIMITERS; number++) {
    await using limiter = await open(join(path, `${number}`), { clock: { now: () => Date.now() } })
    found.push((await limiter.peek("a", { cost: 0 })).remaining)
  }
  return found
}

/** No process hears this one but on Windows, so that nobody else listens to it. */
const UNHEARD = "SIGBREAK"

/** Sees which signals the process would send, and sends none. */
function watchKill() {
  return vi.spyOn(process, "kill").mockReturnValue(true)
}

const ALL_FLUSHED = Array.from({ length: LIMITERS }, () => 5)

describe("closeOn of many limiters", () => {
  test("is one listener for each signal, closes them all, and the process ends by the signal", async () => {
    const path = temporaryFolder()
    const { signal, stdout, stderr } = runProgram(
      path,
      `await openAll()
      console.log(listeners())
      setInterval(() => {}, 1_000)
      process.kill(process.pid, "SIGTERM")
      // Asked again, by this signal and the other, while they are closed.
      process.kill(process.pid, "SIGTERM")
      process.kill(process.pid, "SIGINT")`,
    )
    expect(stderr).toBe("")
    expect(stdout).toBe("2\n")
    expect(signal).toMatch(/^SIG(TERM|INT)$/)
    expect(await remainingOfAll(path)).toEqual(ALL_FLUSHED)
  })

  test("has no listener any more when the last is closed, and one again when another is opened", () => {
    const path = temporaryFolder()
    const { status, stdout, stderr } = runProgram(
      path,
      `const [last, ...others] = await openAll()
      for (const limiter of others) await limiter.close()
      console.log(listeners())
      await last.close()
      console.log(listeners())
      const limiters = await openAll()
      console.log(listeners())
      for (const limiter of limiters) await limiter.close()
      console.log(listeners())`,
    )
    expect(stderr).toBe("")
    expect(stdout).toBe("2\n0\n2\n0\n")
    expect(status).toBe(0)
  })

  test("closes those that are opened while others are closed, before the process ends", async () => {
    const kill = watchKill()
    const closed: string[] = []
    const limiterOf = (name: string, onClose = () => {}) => ({
      flush: async () => {},
      close: async () => {
        onClose()
        closed.push(name)
      },
    })
    const later = limiterOf("later")
    closeOnSignals(
      limiterOf("first", () => closeOnSignals(later, [UNHEARD])),
      [UNHEARD],
    )
    process.emit(UNHEARD, UNHEARD)
    await vi.waitUntil(() => kill.mock.calls.length > 0)
    expect(kill.mock.calls).toEqual([[process.pid, UNHEARD]])
    expect(closed).toEqual(["first", "later"])
    expect(process.listenerCount(UNHEARD)).toBe(0)
  })

  test("closes each once, and the process ends by one signal, where it is asked again meanwhile", async () => {
    const kill = watchKill()
    const closing = Promise.withResolvers<void>()
    const close = vi.fn(() => closing.promise)
    closeOnSignals({ flush: async () => {}, close }, [UNHEARD])
    for (let times = 0; times < 3; times++) {
      process.emit(UNHEARD, UNHEARD)
      await turn()
    }
    expect([close.mock.calls.length, kill.mock.calls.length]).toEqual([1, 0])
    closing.resolve()
    await vi.waitUntil(() => kill.mock.calls.length > 0)
    await turn()
    expect(kill.mock.calls).toEqual([[process.pid, UNHEARD]])
    expect(close).toHaveBeenCalledOnce()
    expect(process.listenerCount(UNHEARD)).toBe(0)
  })

  test.each([
    ["on", "before"],
    ["on", "after"],
    // Once its turn has come, Node does not list it any more.
    ["once", "before"],
    ["once", "after"],
  ])("flushes all, and lets a program that listens itself decide: process.%s() %s opening", async (how, when) => {
    const path = temporaryFolder()
    const listen = `process.${how}("SIGTERM", () => console.log("heard"))`
    const { status, stdout, stderr } = runProgram(
      path,
      `${when === "before" ? listen : ""}
      const limiters = await openAll()
      ${when === "after" ? listen : ""}
      let commits = 0
      const flushed = new Promise((resolve) => {
        onCommit = () => ++commits === limiters.length && resolve()
      })
      process.kill(process.pid, "SIGTERM")
      await flushed
      console.log((await limiters[0].peek("a", { cost: 0 })).remaining, listeners())
      // The files are as they are: nothing is flushed on the way out.
      process.exit(7)`,
    )
    expect(stderr).toBe("")
    expect(stdout).toBe(`heard\n5 ${how === "on" ? 3 : 2}\n`)
    expect(status).toBe(7)
    expect(await remainingOfAll(path)).toEqual(ALL_FLUSHED)
  })
})
