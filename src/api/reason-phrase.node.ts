import { STATUS_CODES } from "node:http"
import { titleOf } from "./problem-answer.js"

/** What the status line says of a status: what a problem's title does, where Node has an older name for it. */
export function reasonPhrase(status: number): string {
  return titleOf(status) ?? STATUS_CODES[status] ?? ""
}
