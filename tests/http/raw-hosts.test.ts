import { describe, expect, test } from "vitest"
import { bundleRunner, runCommand } from "../conformance/run-in-runtime.js"

const MAX_RUN_MS = 60_000
const LIMITED = [200, 429, 429]
const REFUSED = [400, 400, 400]
/** The router and the limit both find another path than that of the login. */
const ELSEWHERE = [404, 404, 404]

type Told = Readonly<Record<string, readonly number[]>>

const RUNTIMES = {
  Bun: ["bun", "run"],
  Deno: ["deno", "run", "--no-prompt", "--allow-read", "--allow-net=127.0.0.1"],
} as const

describe.each(["Bun", "Deno"] as const)("a limit that is chosen by path, on %s", (name) => {
  const [command, ...args] = RUNTIMES[name]

  test(
    "cannot be passed by with an odd Host or target",
    async () => {
      const report = JSON.parse(await runCommand(command, [...args, await bundleRunner("hosts")]))
      for (const told of Object.values<Told>(report)) {
        for (const [head, statuses] of Object.entries(told)) {
          expect([LIMITED, REFUSED, ELSEWHERE], head).toContainEqual(statuses)
        }
        for (const head of ['/login of "a"', '/login?a=/../b of "example.com:8080"', '/login of "[::1]:80"']) {
          expect(told[head], head).toEqual(LIMITED)
        }
      }
    },
    MAX_RUN_MS,
  )
})
