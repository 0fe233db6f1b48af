import { readFileSync } from "node:fs"
import process from "node:process"
import { COMMANDS } from "./commands/index.node.js"
import { runCli } from "./run-cli.node.js"

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string
}

/** Runs the command line of this process, and ends it. */
export async function start(): Promise<void> {
  const ending = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ending.abort())
  // Whoever reads may stop early, as head does.
  process.stdout.on("error", () => process.exit(0))
  process.exitCode = await runCli(
    process.argv.slice(2),
    {
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
      isTty: process.stdout.isTTY === true,
      isErrTty: process.stderr.isTTY === true,
      columns: process.stdout.columns ?? 100,
      rows: process.stdout.rows ?? 24,
      env: process.env,
      signal: ending.signal,
    },
    COMMANDS,
    version,
  )
  // What is left, a timer or a kept connection, holds nobody up.
  if (process.stdout.writableLength === 0) process.exit()
  process.stdout.once("drain", () => process.exit())
}
