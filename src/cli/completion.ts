import type { Command } from "./command.js"
import { commandsOf, GROUP_SUMMARIES } from "./command-group.js"
import { optionsOf } from "./common-options.js"

/** Shells that a completion can be written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const
export type Shell = (typeof SHELLS)[number]

/** The script by which a shell completes commands and options. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return { bash, zsh, fish }[shell](commands)
}

/** What may stand where no word of the command is missing: its argument, where there are few, and its options. */
function laterWords(command: Command): string[] {
  return [...(command.choices ?? []), ...Object.keys(optionsOf(command)).map((name) => `--${name}`)]
}

/** The words that may follow each beginning of a command: `""` → `check limit …`, `"limit"` → `add list …`. */
function nextWords(commands: readonly Command[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>()
  for (const { name } of commands) {
    const words = name.split(" ")
    for (const [index, word] of words.entries()) {
      const before = words.slice(0, index).join(" ")
      next.set(before, (next.get(before) ?? new Set()).add(word))
    }
  }
  return next
}

/** What may stand where a word of a command is missing; `help` may stand before any. */
function beginningCases(commands: readonly Command[]): string {
  return [...nextWords(commands)]
    .map(([before, after]) => {
      const words = before === "" ? [...after, "help", "--version"] : [...after, "help"]
      return `    ${quote(before)}) words=${quote([...words, "--help"].join(" "))} ;;`
    })
    .join("\n")
}

function optionCases(commands: readonly Command[]): string {
  return commands
    .map((command) => `    ${quote(command.name)}) words=${quote(laterWords(command).join(" "))} ;;`)
    .join("\n")
}

/** What may stand after an option that takes a value: one of its choices, else whatever the shell offers by default. */
function valueCases(commands: readonly Command[]): string {
  return commands
    .flatMap((command) => {
      return Object.entries(optionsOf(command)).flatMap(([name, { type, short, choices = [] }]) => {
        if (type !== "string") return []
        const typed = short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]
        const patterns = typed.map((option) => quote(`${command.name} ${option}`)).join("|")
        return `    ${patterns}) words=${quote(choices.join(" "))} ;;`
      })
    })
    .join("\n")
}

function quote(text: string): string {
  return `"${text}"`
}

function bash(commands: readonly Command[]): string {
  return `# bash completion of sluice: eval "$(sluice completion bash)"
_sluice() {
  local words="" command="" is_help="" word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    [[ "$word" == -* ]] && break
    [[ "$word" == help && "$command" =~ ^(${Object.keys(GROUP_SUMMARIES).join("|")}|)$ ]] && is_help=yes && continue
    case "\${command:+$command }$word" in
      ${[...new Set(commands.flatMap(({ name }) => name.split(" ").map((_, index, all) => all.slice(0, index + 1).join(" "))))].map(quote).join("|")}) command="\${command:+$command }$word" ;;
      *) break ;;
    esac
  done
  case "$command" in
${beginningCases(commands)}
  esac
  [[ -z "$is_help" ]] && case "$command" in
${optionCases(commands)}
  esac
  case "$command \${COMP_WORDS[COMP_CWORD - 1]}" in
${valueCases(commands)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sluice sluice
`
}

function zsh(commands: readonly Command[]): string {
  return `#compdef sluice
# zsh completion of sluice: eval "$(sluice completion zsh)"
autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`
}

function fish(commands: readonly Command[]): string {
  const lines: string[] = ["# fish completion of sluice: sluice completion fish | source", "complete -c sluice -f"]
  const said = (text: string) => ` -d '${text.replaceAll("'", "\\'")}'`
  for (const [group, summary] of Object.entries(GROUP_SUMMARIES)) {
    lines.push(`complete -c sluice -n __fish_use_subcommand -a ${group}${said(summary)}`)
  }
  for (const command of commands) {
    const [first, second] = command.name.split(" ")
    const siblings = commandsOf(first, commands).map(({ name }) => name.split(" ")[1])
    const missing = `'__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${siblings.join(" ")}'`
    lines.push(
      second === undefined
        ? `complete -c sluice -n __fish_use_subcommand -a ${first}${said(command.summary)}`
        : `complete -c sluice -n ${missing} -a ${second}${said(command.summary)}`,
    )
    const seen = command.name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`)
    const condition = seen.join("; and ")
    if (command.choices !== undefined) {
      lines.push(`complete -c sluice -n '${condition}' -a '${command.choices.join(" ")}'`)
    }
    for (const [name, option] of Object.entries(optionsOf(command))) {
      const takes = option.type === "string" ? " -r" : ""
      const isPath = option.value === "FILE" || option.value === "FOLDER"
      const values = option.choices === undefined ? (isPath ? " -F" : "") : ` -a '${option.choices.join(" ")}'`
      const letter = option.short === undefined ? "" : ` -s ${option.short}`
      lines.push(`complete -c sluice -n '${condition}' -l ${name}${letter}${takes}${values}${said(option.description)}`)
    }
  }
  return `${lines.join("\n")}\n`
}
