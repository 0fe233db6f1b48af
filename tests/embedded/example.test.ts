import { spawn } from "node:child_process"
import { afterAll, describe, expect, test } from "vitest"
import { ROOT } from "../conformance/run-in-runtime.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const EXAMPLE = "examples/embedded/limiter.mjs"
const RUN_MS_MOST = 60_000

afterAll(removeFolders)

/** Runs the example and returns its lines; where told to, kills it with SIGKILL as soon as it has told so many. */
async function runExample(command: readonly string[], path: string, killAfter = Number.POSITIVE_INFINITY) {
  const [program, ...args] = command
  const child = spawn(`${ROOT}node_modules/.bin/${program}`, [...args, EXAMPLE, path], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    // The programs of npm packages may start another process: it is killed with the group.
    detached: true,
  })
  const lines: string[] = []
  let rest = ""
  let isKilled = false
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n")
    rest = parts.pop()!
    lines.push(...parts)
    if (lines.length < killAfter || isKilled) return
    isKilled = true
    process.kill(-child.pid!, "SIGKILL")
  })
  await new Promise((resolve) => child.once("close", resolve))
  return lines
}

describe("the example", () => {
  test.each([
    { runtime: "Node", command: ["node"] },
    { runtime: "Deno", command: ["deno", "run", "--allow-read", "--allow-write", "--no-prompt"] },
    { runtime: "Bun", command: ["bun", "run"] },
  ])(
    "goes on exactly after SIGKILL in $runtime",
    async ({ command }) => {
      const path = temporaryFolder()
      const told = [...(await runExample(command, path, 3)), ...(await runExample(command, path, 2))]
      // What was told when the signal came is a line more at most.
      expect(told.length).toBeGreaterThanOrEqual(5)
      expect(told.length).toBeLessThanOrEqual(7)
      const rest = await runExample(command, path)
      const admitted = Array.from({ length: 10 }, (_, index) => `admitted, ${9 - index} left`)
      expect([...told, ...rest].slice(0, -1)).toEqual(admitted)
      expect(rest.at(-1)).toMatch(/^denied, again in \d+ ms$/)
    },
    RUN_MS_MOST,
  )
})
