import type { Command } from "../command.js"
import { completionScript, SHELLS, type Shell } from "../completion.js"
import { UsageError } from "../usage-error.js"

/** @param commands all of them, told when the command runs */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: "completion",
    summary: "Write the script by which a shell completes commands and options.",
    usage: "SHELL",
    minArguments: 1,
    maxArguments: 1,
    choices: SHELLS,
    asks: null,
    options: {},
    examples: ['eval "$(sluice completion bash)"', "sluice completion fish | source"],
    async run({ positionals: [shell], terminal }) {
      if (!SHELLS.includes(shell as Shell)) {
        throw new UsageError(
          `Cannot write a completion: the shell is ${shell}, allowed is one of ${SHELLS.join(", ")}.`,
        )
      }
      terminal.out(completionScript(shell as Shell, commands()))
    },
  }
}
