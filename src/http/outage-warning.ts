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

/**
 * Warns on the console of the first time that the fail mode has to decide, for who has no `onError` that would hear of it:
 * else a limiter that is wired up wrongly lets everything pass, and nobody learns of it.
 *
 * @param act what cannot be done, such as `"rate limit"`
 * @param what is not limited then, such as `"requests"`
 */
export function outageWarning(act: string, what: string, failMode: FailMode = "open"): (error: unknown) => void {
  let hasWarned = false
  return (error) => {
    if (hasWarned) return
    hasWarned = true
    console.warn(
      `Cannot ${act}: ${what} ${INSTEAD[failMode]} (failMode ${show(failMode)}). ` +
        `This is said once, an onError hears of every failure. The first: ${reasonOf(error)}`,
    )
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
