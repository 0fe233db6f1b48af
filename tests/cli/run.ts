import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { COMMANDS } from "../../src/cli/commands/index.node.js"
import { runCli } from "../../src/cli/run-cli.node.js"
import type { Terminal } from "../../src/cli/terminal.js"

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A folder that is gone when the test is. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "sluice-cli-"))

  file(name: string): string {
    return join(this.path, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Runs the command line in this process. */
export async function run(args: readonly string[], over: Partial<Terminal> = {}): Promise<Ran> {
  let out = ""
  let err = ""
  const terminal: Terminal = {
    read: async () => "",
    out(text) {
      out += text
    },
    log(text) {
      out += text
    },
    err(text) {
      err += text
    },
    isTty: false,
    isErrTty: false,
    columns: 100,
    rows: 24,
    env: {},
    signal: new AbortController().signal,
    ...over,
  }
  const code = await runCli(args, terminal, COMMANDS, "1.2.3")
  return { code, out, err }
}
