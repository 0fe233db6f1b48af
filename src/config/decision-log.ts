import type { Decision } from "../types/decision.js"
import { jsonText } from "../types/json-text.js"
import type { LoggingConfig } from "./config.js"

/** Where lines go: the console is one. */
export interface LogOutput {
  info(line: string): void
  error(line: string): void
}

/** What hears of decisions and errors, as the middleware's options call it; absent where nothing is to be logged. */
export interface LogHooks {
  readonly onDecision?: (decision: Decision) => void
  readonly onError?: (error: unknown) => void
}

/** The hooks that write a log as a configuration says. */
export function decisionLog({ level, decisions, format }: LoggingConfig, output: LogOutput = console): LogHooks {
  if (level === "silent") return {}
  const write: (entry: Entry) => string = format === "json" ? jsonText : textLine
  const onError = (error: unknown) => {
    const { name = "Error", message = String(error), code } = (error ?? {}) as Partial<Error & { code: string }>
    output.error(write({ event: "error", name, ...(code !== undefined && { code }), message }))
  }
  if (level === "error") return { onError }
  const onDecision = ({ allowed, key, policy, reason, cost, limit, remaining, retryAfterMs }: Decision) => {
    if (allowed && decisions === "denied") return
    const event = allowed ? "admit" : "deny"
    output.info(write({ event, key, policy, reason, cost, limit, remaining, retry_after_ms: retryAfterMs }))
  }
  return { onDecision, onError }
}

type Entry = Readonly<Record<string, string | number>>

/** Values are quoted as in JSON, so that a hostile key cannot end the line, nor steer a terminal. */
function textLine({ event, ...rest }: Entry): string {
  const pairs = Object.entries(rest).map(([name, value]) => `${name}=${jsonText(value)}`)
  return ["sluice", event, ...pairs].join(" ")
}
