import { jsonText } from "../lib/json-text.js"
import {
  CLOCK,
  having,
  type Kind,
  type Kinds,
  oneOf,
  required,
  requireFields,
  unfit,
} from "../policy/require-fields.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { LoggingConfig } from "./config.js"
import type { Whose } from "./policy-for.js"

/** Where lines go: the console is one. */
export interface LogOutput {
  info(line: string): void
  error(line: string): void
}

export const LOG_OUTPUT: Kind = having("info", "error")

const LOGGING_KINDS: Kinds<LoggingConfig> = {
  level: required(oneOf("silent", "error", "info")),
  decisions: required(oneOf("denied", "all")),
  format: required(oneOf("text", "json")),
}

/** What hears of decisions and errors, as the middleware's options call it; absent where nothing is to be logged. */
export interface LogHooks {
  readonly onDecision?: (decision: Decision) => void
  readonly onError?: (error: unknown) => void
}

/** What was asked of a configuration, as far as it is known: a limit or a group, and for whom. */
export type AskedFor = Whose & { readonly limit?: string }

/** The log of a configuration, which tells what was asked beside the decision. */
export interface DecisionLog {
  readonly onDecision?: (decision: Decision, asked: AskedFor) => void
  readonly onError?: (error: unknown) => void
}

/**
 * The hooks that write a log as a configuration says.
 *
 * @param logging the field `logging` of what `parseConfig` gives
 * @param output default the console
 * @param clock what lines have their time from; default the machine's
 * @throws {RangeError} where one of them is something else: what a hook throws is dropped, so nobody would hear of it
 */
export function decisionLog(logging: LoggingConfig, output?: LogOutput, clock?: Clock): LogHooks {
  requireLogging(logging)
  requireFields("log decisions", { output, clock }, { output: LOG_OUTPUT, clock: CLOCK })
  const { onDecision, onError } = openDecisionLog(logging, output, clock)
  return {
    ...(onDecision !== undefined && { onDecision: (decision: Decision) => onDecision(decision, {}) }),
    ...(onError !== undefined && { onError }),
  }
}

/** @throws {RangeError} */
function requireLogging(logging: LoggingConfig): void {
  const { logging: own } = (logging ?? {}) as { readonly logging?: unknown }
  if (own !== undefined) throw unfit("log decisions", "logging", logging, "what parseConfig gives in its field logging")
  requireFields("log decisions", logging, LOGGING_KINDS, "logging.")
}

/**
 * `decisionLog` of what was looked at before, whose hooks are told what was asked.
 *
 * @param clock what lines have their time from; default the machine's
 */
export function openDecisionLog(
  { level, decisions, format }: LoggingConfig,
  output: LogOutput = console,
  clock: Clock = systemClock,
): DecisionLog {
  if (level === "silent") return {}
  const write = (entry: Entry) => {
    const at = new Date(clock.now()).toISOString()
    return format === "json" ? jsonText({ at, ...entry }) : `${at} ${textLine(entry)}`
  }
  const onError = (error: unknown) => {
    const { name = "Error", message = String(error), code } = (error ?? {}) as Partial<Error & { code: string }>
    output.error(write({ event: "error", name, ...(code !== undefined && { code }), message }))
  }
  if (level === "error") return { onError }
  const onDecision = (decision: Decision, asked: AskedFor) => {
    const { allowed, key, policy, reason, cost, limit, remaining, retryAfterMs } = decision
    if (allowed && decisions === "denied") return
    const event = allowed ? "admit" : "deny"
    const told = { event, key, policy, reason, cost, limit, remaining, retry_after_ms: retryAfterMs }
    output.info(write({ ...told, ...askedFields(asked) }))
  }
  return { onDecision, onError }
}

type Entry = Readonly<Record<string, string | number>>

/** `limit` is how many units there are, so that the name has another name here. */
function askedFields({ limit, tenant, tier }: AskedFor): Entry {
  return {
    ...(limit !== undefined && { limit_name: limit }),
    ...(tenant != null && { tenant }),
    ...(tier != null && { tier }),
  }
}

/** Values are quoted as in JSON, so that a hostile key cannot end the line, nor steer a terminal. */
function textLine({ event, ...rest }: Entry): string {
  const pairs = Object.entries(rest).map(([name, value]) => `${name}=${jsonText(value)}`)
  return ["sluice", event, ...pairs].join(" ")
}
