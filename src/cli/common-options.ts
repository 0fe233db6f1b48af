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

const TIMEOUT: CommandOption = {
  type: "string",
  value: "DURATION",
  description: "How long the server may take (default 5s, to read or compact its log 10m).",
}

/** What a command takes that asks a server. */
const SERVER_OPTIONS: Readonly<Record<string, CommandOption>> = { server: SERVER, token: TOKEN, timeout: TIMEOUT }

/** What a command takes that opens a folder. */
export const FOLDER_OPTIONS: Readonly<Record<string, CommandOption>> = {
  "data-dir": DATA_DIR_OPTION,
  "lock-timeout": LOCK_TIMEOUT_OPTION,
}

const OF_ASKED: Readonly<Record<Asks, Readonly<Record<string, CommandOption>>>> = {
  limits: { ...FOLDER_OPTIONS, ...SERVER_OPTIONS },
  folder: FOLDER_OPTIONS,
  server: { ...SERVER_OPTIONS, server: { ...SERVER, description: "The server to ask (default $SLUICE_SERVER)." } },
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
