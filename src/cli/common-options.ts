import type { Command, CommandOption } from "./command.js"

const EVERYWHERE: Readonly<Record<string, CommandOption>> = {
  json: { type: "boolean", description: "Write JSON, for machines." },
  "no-color": { type: "boolean", description: "Write no colours." },
  help: { type: "boolean", short: "h", description: "Tell what the command does." },
}

/** The folder that a command is about. */
export const DATA_DIR_OPTION: CommandOption = {
  type: "string",
  short: "d",
  value: "FOLDER",
  description: "The data folder (default $SLUICE_DATA_DIR, else sluice-data).",
}

const OF_LIMITS: Readonly<Record<string, CommandOption>> = {
  "data-dir": DATA_DIR_OPTION,
  server: { type: "string", short: "s", value: "URL", description: "Ask a server instead (default $SLUICE_SERVER)." },
  token: { type: "string", value: "TOKEN", description: "The server's token; $SLUICE_TOKEN keeps it out of sight." },
}

/** The limit that a command about keys asks. */
export const LIMIT_OPTION: CommandOption = {
  type: "string",
  short: "l",
  value: "NAME",
  description: "The named limit (default the key's own, else the one named default).",
}

/** All options of a command. */
export function optionsOf(command: Command): Readonly<Record<string, CommandOption>> {
  return { ...command.options, ...(command.asksLimits && OF_LIMITS), ...EVERYWHERE }
}
