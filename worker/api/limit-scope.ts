import type { Decision } from "../../src/types/decision.js"
import type { Receipt } from "../../src/types/receipt.js"

/*
 * The scope of a limit is what its keys are filed under: its name, behind what sets it apart from an earlier limit of
 * the same name, or from one of the Worker's settings.
 */

/** No name of an object has it, so a receipt's id and its scope are one text in one way. */
const RECEIPT_MARK = "~"

/** The scope of a limit of the settings. */
export function settingsScope(name: string): string {
  return `settings ${name}`
}

/** The scope of a limit that was configured from outside. */
export function scopeOf(name: string, generation: number): string {
  return `${generation} ${name}`
}

/** The limit that a scope is of. */
export function nameIn(scope: string): string {
  return scope.slice(scope.indexOf(" ") + 1)
}

/** Which of the limits of its name a scope is of, the later the greater; `NaN` for one of the settings. */
export function generationIn(scope: string): number {
  return Number.parseInt(scope, 10)
}

/** Whether a text is a scope that `settingsScope` or `scopeOf` may have made. */
function isScope(text: string): boolean {
  const name = nameIn(text)
  return text === settingsScope(name) || (generationIn(text) >= 1 && text === scopeOf(name, generationIn(text)))
}

/** The decision, with a receipt that says which limit it is of. */
export function withScope(decision: Decision, scope: string): Decision {
  if (decision.receipt === undefined) return decision
  const id = `${decision.receipt.id}${RECEIPT_MARK}${encodeURIComponent(scope)}`
  return { ...decision, receipt: { ...decision.receipt, id } }
}

/**
 * What `withScope` joined: the scope, and the receipt as the key's object made it; `null` where it joined none such.
 */
export function splitScope(receipt: Receipt): { readonly scope: string; readonly own: Receipt } | null {
  const mark = receipt.id.indexOf(RECEIPT_MARK)
  if (mark < 0) return null
  try {
    const scope = decodeURIComponent(receipt.id.slice(mark + 1))
    return isScope(scope) ? { scope, own: { ...receipt, id: receipt.id.slice(0, mark) } } : null
  } catch {
    return null
  }
}
