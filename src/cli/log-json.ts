import type { LogLine } from "./command.js"

/** A record as machines read it from every command: its time as the API tells it, ISO 8601 in UTC, under `at`. */
export function logJson({ atMs, ...rest }: LogLine): { readonly at: string } & Omit<LogLine, "atMs"> {
  return { at: new Date(atMs).toISOString(), ...rest }
}
