import process from "node:process"
import { version } from "#version"
import { COMMANDS } from "./commands/index.node.js"
import { EXIT } from "./exit-code.js"
import { runCli } from "./run-cli.node.js"

/** Runs the command line of this process, and ends it. */
export async function start(): Promise<void> {
  process.stdout.on("error", endUnwritten)
  let signal: AbortSignal | null = null
  process.exitCode = await runCli(
    process.argv.slice(2),
    {
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
      isTty: process.stdout.isTTY === true,
      isErrTty: process.stderr.isTTY === true,
      // A terminal that does not know its size says 0.
      columns: process.stdout.columns || 100,
      rows: process.stdout.rows || 24,
      env: process.env,
      // A command that never asks for it ends at once, as programs do.
      get signal() {
        signal ??= endingSignal()
        return signal
      },
    },
    COMMANDS,
    version,
  )
  // What the last write failed of is told in the next turn.
  await new Promise((resolve) => setImmediate(resolve))
  // What is left, a timer or a kept connection, holds nobody up.
  if (process.stdout.writableLength === 0) process.exit()
  process.stdout.once("drain", () => process.exit())
}

/** Whoever reads may stop early, as head does. A full disk must not pass for a whole answer. */
function endUnwritten(error: NodeJS.ErrnoException): never {
  if (error.code === "EPIPE") process.exit(EXIT.ok)
  process.stderr.write(`error: Cannot write to standard output: ${error.message}.\n`)
  process.exit(EXIT.failed)
}

/** Aborted when the process is asked to end, which then does not end by itself. */
function endingSignal(): AbortSignal {
  const ending = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => ending.abort())
  return ending.signal
}
