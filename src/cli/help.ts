import type { Command, CommandOption } from "./command.js"
import { commandsOf, GROUP_SUMMARIES } from "./command-group.js"
import { optionsOf } from "./common-options.js"
import type { Style } from "./style.js"

/** What `sluice --help` tells. */
export function overview(commands: readonly Command[], style: Style): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  return `${style.bold("sluice")}: an exact, durable rate limiter.

${style.bold("Usage")}
  sluice COMMAND [ARGUMENTS] [OPTIONS]

${style.bold("Commands")}
${lines.join("\n")}

${style.bold("Examples")}
  sluice init
  sluice check user:42 --limit api
  sluice serve --data-dir sluice-data
  sluice limit list --server http://127.0.0.1:8080

Exit codes: 0 done or allowed, 1 failed, 2 bad input, 3 denied.
sluice COMMAND --help tells more of a command.
`
}

/** What `sluice limit --help` tells: the commands that begin so. */
export function helpOfGroup(group: string, commands: readonly Command[], style: Style): string {
  const own = commandsOf(group, commands)
  const texts = own.map(({ name, usage }) => `${name} ${usage}`.trim())
  const width = Math.max(...texts.map((text) => text.length))
  const lines = own.map(({ summary }, index) => `  ${texts[index]!.padEnd(width)}  ${summary}`)
  return `${GROUP_SUMMARIES[group]}

${style.bold("Usage")}
  sluice ${group} COMMAND [ARGUMENTS] [OPTIONS]

${style.bold("Commands")}
${lines.join("\n")}

${style.bold("Examples")}
${own.map(({ examples }) => `  ${examples[0]}`).join("\n")}

sluice ${group} COMMAND --help tells more of a command.
`
}

/** What `sluice COMMAND --help` tells. */
export function helpOf(command: Command, style: Style): string {
  const options = Object.entries(optionsOf(command)).map(
    ([name, option]) => [optionText(name, option), option] as const,
  )
  const width = Math.max(...options.map(([text]) => text.length))
  const lines = options.map(([text, { description, choices }]) => {
    return `  ${text.padEnd(width)}  ${description}${choices === undefined ? "" : ` One of ${choices.join(", ")}.`}`
  })
  return `${command.summary}

${style.bold("Usage")}
  sluice ${command.name}${command.usage === "" ? "" : ` ${command.usage}`} [OPTIONS]

${style.bold("Options")}
${lines.join("\n")}

${style.bold("Examples")}
${command.examples.map((example) => `  ${example}`).join("\n")}
`
}

function optionText(name: string, { short, value }: CommandOption): string {
  const long = `--${name}${value === undefined ? "" : ` ${value}`}`
  return short === undefined ? `    ${long}` : `-${short}, ${long}`
}
