import process from "node:process"
import { text } from "node:stream/consumers"
import { version } from "#version"
import { COMMANDS } from "./commands/index.node.js"
import { EXIT } from "./exit-code.js"
import { runCli } from "./run-cli.node.js"
import { StandardOutput } from "./standard-output.node.js"

/** Runs the command line of this process, and ends it. */
export async function start(): Promise<void> {
  // What cannot be told here can be told nowhere, and ends nothing.
  process.stderr.on("error", () => {})
  const err = (told: string) => void process.stderr.write(told)
  const output = new StandardOutput(process.stdout, (line) => err(`${line}\n`))
  let signal: AbortSignal | null = null
  const code = await runCli(
    process.argv.slice(2),
    {
      read: () => text(process.stdin),
      out: (told) => output.write(told),
      log: (told) => output.log(told),
      err,
      isTty: process.stdout.isTTY === true,
      isErrTty: process.stderr.isTTY === true,
      // A terminal may be resized, and one that does not know its size says 0.
      get columns() {
        return process.stdout.columns || 100
      },
      get rows() {
        return process.stdout.rows || 24
      },
      env: process.env,
      // A command that never asks for it ends at once, as programs do.
      get signal() {
        signal ??= AbortSignal.any([endingSignal(), output.closed])
        return signal
      },
    },
    COMMANDS,
    version,
  )
  // A full disk must not pass for a whole answer.
  process.exitCode = (await output.end()) ? code : EXIT.failed
  // What is left, a timer or a kept connection, holds nobody up.
  process.exit()
}

/** Aborted when the process is asked to end, which then does not end by itself. */
function endingSignal(): AbortSignal {
  const ending = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => ending.abort())
  return ending.signal
}
