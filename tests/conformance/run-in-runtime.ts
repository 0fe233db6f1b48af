import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { build } from "esbuild"

const run = promisify(execFile)

/** The project's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url))
const BIN = `${ROOT}node_modules/.bin/`
const LONGEST_OUTPUT = 64 * 2 ** 20
const LONGEST_RUN_MS = 60_000

/**
 * Joins a TypeScript runner to one file of JavaScript that imports the built package by its name, so that a runtime
 * loads it exactly as an application would.
 *
 * @param name a file of `tests/conformance/runners/`, without its ending
 * @returns the path of the file, inside `dist/` so that it is in the package's scope
 */
export async function bundleRunner(name: string): Promise<string> {
  const outfile = `${ROOT}dist/.tests/conformance/${name}.mjs`
  await build({
    entryPoints: [`${ROOT}tests/conformance/runners/${name}.ts`],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2024",
    external: ["sluice", "sluice/*", "node:*"],
    logLevel: "silent",
  })
  return outfile
}

/** Runs a command of `node_modules/.bin` and returns what it printed. @throws where it fails, with what it printed */
export async function runCommand(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(`${BIN}${command}`, args, {
    cwd: ROOT,
    timeout: LONGEST_RUN_MS,
    maxBuffer: LONGEST_OUTPUT,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  })
  return stdout
}
