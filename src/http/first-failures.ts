import { show } from "../types/errors.js"
import type { FailMode } from "./limit-options.js"

const INSTEAD: Readonly<Record<FailMode, string>> = {
  open: "pass unlimited",
  closed: "are refused",
  local: "are limited by this process alone, or refused where it cannot",
}

/** What would end the line of a log, or command the terminal that shows it. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu
/** So much of a cause is told: it is what a platform says, which may be as long as it likes. */
const CAUSE_CHARACTERS = 240

/** Hear of failures that nobody else hears of. */
export interface FirstFailures {
  /** Of those that the fail mode has to decide on. */
  outage(error: unknown): void
  /** Of those of a key: whoever is behind it counts with all others who show none. */
  key(error: unknown): void
}

/**
 * Warns on the console of the first failure of each kind, for who has no `onError` that would hear of it: else a
 * limiter that is wired up wrongly lets everything pass, or a key limits all clients as one, and nobody learns of it.
 *
 * @param act what cannot be done, such as `"rate limit"`
 * @param what is not limited then, such as `"requests"`
 */
export function firstFailures(act: string, what: string, failMode: FailMode = "open"): FirstFailures {
  return {
    outage: warnOnce(`Cannot ${act}: ${what} ${INSTEAD[failMode]} (failMode ${show(failMode)}).`),
    key: warnOnce(`Cannot ${act} by key: ${what} whose key cannot be had count together.`),
  }
}

function warnOnce(sentence: string): (error: unknown) => void {
  let hasWarned = false
  return (error) => {
    if (hasWarned) return
    hasWarned = true
    console.warn(`${sentence} This is said once, an onError hears of every failure. The first: ${reasonOf(error)}`)
  }
}

/** What an error says, and the first line of what it says that it comes of, unless it tells that already. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return show(error)
  const told = String(error).replace(CONTROLS, " ")
  if (!(error.cause instanceof Error)) return told
  const [line] = String(error.cause).split(/[\n\r]/, 1) as [string]
  const cause = line.replace(CONTROLS, " ")
  if (told.includes(cause)) return told
  return `${/[.!?…]$/.test(told) ? told : `${told}.`} Caused by ${cause.length > CAUSE_CHARACTERS ? `${cause.slice(0, CAUSE_CHARACTERS)}…` : cause}`
}
