import type { Command } from "./command.js"
import { GROUP_SUMMARIES } from "./command-group.js"
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
  local typed="\${COMP_WORDS[COMP_CWORD]}" option="\${COMP_WORDS[COMP_CWORD - 1]}" joined=""
  # Of --option=value bash makes three words, unless COMP_WORDBREAKS is changed, and zsh one.
  if [[ "$typed" == --*=* ]]; then option="\${typed%%=*}" joined="\${typed%%=*}=" typed="\${typed#*=}"
  elif [[ "$typed" == "=" ]]; then joined="=" typed=""
  elif [[ "$option" == "=" ]]; then joined="=" option="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
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
  [[ -n "$joined" ]] && words=""
  case "$command $option" in
${valueCases(commands)}
  esac
  COMPREPLY=($(compgen -P "\${joined#=}" -W "$words" -- "$typed"))
}
complete -o default -F _sluice sluice
`
}

function zsh(commands: readonly Command[]): string {
  return `#compdef sluice
# zsh completion of sluice: eval "$(sluice completion zsh)"
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`
}

/** Words that are typed, up to the first option; a `help` before a command is none of its. */
const FISH_FUNCTIONS = `function __sluice_words
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        string match -q -- '-*' $word; and break
        test "$word" = help; or echo $word
    end
end
function __sluice_at
    set -l words (__sluice_words)
    test "$words" = "$argv"
end
function __sluice_in
    set -l words (__sluice_words)
    test "$words[1..$(count $argv)]" = "$argv"
end`

function fish(commands: readonly Command[]): string {
  const said = (text: string) => ` -d '${text.replaceAll("'", "\\'")}'`
  const lines: string[] = [
    "# fish completion of sluice: sluice completion fish | source",
    FISH_FUNCTIONS,
    "complete -c sluice -f",
    `complete -c sluice -n __sluice_at -l version${said("Tell the version.")}`,
    `complete -c sluice -n __sluice_at -l help${said("Tell the commands.")}`,
  ]
  /** A word where just these stand before it. */
  const word = (before: string, next: string, text = "") =>
    lines.push(`complete -c sluice -n '${`__sluice_at ${before}`.trim()}' -a '${next}'${text && said(text)}`)
  for (const before of nextWords(commands).keys()) word(before, "help", "Tell how a command is used.")
  for (const [group, summary] of Object.entries(GROUP_SUMMARIES)) word("", group, summary)
  for (const command of commands) {
    const { name, choices } = command
    const words = name.split(" ")
    word(words.slice(0, -1).join(" "), words.at(-1)!, command.summary)
    if (choices !== undefined) word(name, choices.join(" "))
    for (const [option, { type, short, value, choices: values, description }] of Object.entries(optionsOf(command))) {
      const letter = short === undefined ? "" : ` -s ${short}`
      const isPath = value === "FILE" || value === "FOLDER"
      // With -x no files are offered beside the values, or where there is none to offer.
      const takes = type !== "string" ? "" : isPath ? " -r -F" : ` -x${values ? ` -a '${values.join(" ")}'` : ""}`
      lines.push(`complete -c sluice -n '__sluice_in ${name}' -l ${option}${letter}${takes}${said(description)}`)
    }
  }
  return `${lines.join("\n")}\n`
}
