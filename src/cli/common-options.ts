import type { Asks, Command, CommandOption } from "./command.js"

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

/** How long to wait for that folder. */
const LOCK_TIMEOUT_OPTION: CommandOption = {
  type: "string",
  value: "DURATION",
  description: "How long to wait where another process has the folder, 10s say (default not at all).",
}

const SERVER: CommandOption = {
  type: "string",
  short: "s",
  value: "URL",
  description: "Ask a server instead (default $SLUICE_SERVER).",
}
const TOKEN: CommandOption = {
  type: "string",
  value: "TOKEN",
  description: "The server's token; $SLUICE_TOKEN keeps it out of sight.",
}

/** What a command takes that opens a folder. */
export const FOLDER_OPTIONS: Readonly<Record<string, CommandOption>> = {
  "data-dir": DATA_DIR_OPTION,
  "lock-timeout": LOCK_TIMEOUT_OPTION,
}

const OF_ASKED: Readonly<Record<Asks, Readonly<Record<string, CommandOption>>>> = {
  limits: { ...FOLDER_OPTIONS, server: SERVER, token: TOKEN },
  folder: FOLDER_OPTIONS,
  server: { server: { ...SERVER, description: "The server to ask (default $SLUICE_SERVER)." }, token: TOKEN },
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
  return { ...command.options, ...(command.asks !== null && OF_ASKED[command.asks]), ...EVERYWHERE }
}
