import type { Command } from "./command.js"

/** What the commands have in common that begin with the same word. */
export const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  limit: "Define limits; look at keys, charge, reset or block them.",
  log: "Look at the log, verify it, fold it into a snapshot, or take it elsewhere.",
}

/** The commands of a group, none where the word is none. */
export function commandsOf(group: string | undefined, commands: readonly Command[]): readonly Command[] {
  return commands.filter(({ name }) => name.startsWith(`${group} `))
}

/** `"limit"` where that alone was typed, with options or without: some command of the group is missing. */
export function bareGroup(args: readonly string[], commands: readonly Command[]): string | null {
  const [group, next = "-"] = args
  return group !== undefined && next.startsWith("-") && commandsOf(group, commands).length > 0 ? group : null
}

/** `help check` and `limit help add` as `check --help` and `limit add --help`. */
export function withHelpLast(args: readonly string[], commands: readonly Command[]): readonly string[] {
  const at = args[0] === "help" ? 0 : args[1] === "help" && commandsOf(args[0], commands).length > 0 ? 1 : -1
  return at === -1 ? args : [...args.toSpliced(at, 1), "--help"]
}
