import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { START_MS } from "../start-ms.js"

const DIST = new URL("../../dist/src/", import.meta.url)

/** What a program that runs apart starts with; `makeLimit` is as the tests' own, over the built engine. */
const PROLOGUE = `
  const { Core } = await import(${JSON.stringify(new URL("engine/core.js", DIST))})
  const { RecordedLimit } = await import(${JSON.stringify(new URL("engine/recorded-limit.js", DIST))})
  const { saveCells } = await import(${JSON.stringify(new URL("engine/saved-cells.js", DIST))})
  const { parsePolicy } = await import(${JSON.stringify(new URL("policy/parse-policy.js", DIST))})
  const START_MS = ${START_MS}
  const defaults = { maxKeys: 2 ** 32 - 1, onFull: "evict-nearest-full", stats: false, issuerId: "test" }
  const seed = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a]
  class MadeLimit extends RecordedLimit {
    save(kind, nowMs) {
      return saveCells(this.core, this.pointer, kind, nowMs)
    }
  }
  const makeLimit = (policy, options = {}) =>
    new MadeLimit(new Core(), parsePolicy(policy), { ...defaults, seed, ...options })
`

/**
 * Runs a program in a process of its own, for what could run for ever: nothing can stop a loop in WebAssembly from
 * within its thread.
 *
 * @returns what the program printed, or `"it did not end"`
 */
export function runApart(program: string, timeoutMs = 10_000): string {
  const { stdout, stderr, error } = spawnSync(process.execPath, ["--input-type=module", "--eval", PROLOGUE + program], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    encoding: "utf8",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  })
  if (error !== undefined && "code" in error && error.code === "ETIMEDOUT") return "it did not end"
  return stdout === "" ? stderr : stdout.trim()
}
