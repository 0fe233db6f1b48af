import { cutText } from "./plain-text.js"
import type { Style } from "./style.js"
import { textWidth } from "./text-width.js"

export interface Column<Row> {
  readonly title: string
  readonly align?: "right"
  /** Cut where the line is too short; the others are shown whole. */
  readonly shrinks?: true
  value(row: Row): string
  /** How it is painted, after it is measured. */
  paint?(text: string, row: Row): string
}

const GAP = "  "
const LEAST_SHRUNK = 12

/** Rows as a table for people, within the width where columns may shrink. Ends with a line feed. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], style: Style, width: number): string {
  const cells = rows.map((row) => columns.map((column) => cutText(column.value(row), 512)))
  const widths = columns.map(({ title }, index) => {
    return cells.reduce((most, line) => Math.max(most, textWidth(line[index]!)), title.length)
  })
  const shrinking = columns.flatMap(({ shrinks }, index) => (shrinks ? [index] : []))
  shrink(widths, shrinking, width - GAP.length * (columns.length - 1))
  const pad = (text: string, index: number) => {
    const fill = " ".repeat(Math.max(0, widths[index]! - textWidth(text)))
    if (columns[index]!.align === "right") return fill + text
    return index === columns.length - 1 ? text : text + fill
  }
  const head = style.bold(columns.map(({ title }, index) => pad(title, index)).join(GAP))
  const body = cells.map((line, row) => {
    return line
      .map((text, index) => {
        const shown = pad(cutText(text, widths[index]!), index)
        return columns[index]!.paint?.(shown, rows[row]!) ?? shown
      })
      .join(GAP)
  })
  return `${[head, ...body].join("\n")}\n`
}

/** Takes from the widest of those that may shrink until all fit, or none has more than the least. */
function shrink(widths: number[], shrinking: readonly number[], room: number): void {
  const total = widths.reduce((sum, each) => sum + each, 0)
  for (let over = total - room; over > 0; over--) {
    const widest = shrinking.reduce((a, b) => (widths[b]! > widths[a]! ? b : a), shrinking[0]!)
    if (!(widths[widest]! > LEAST_SHRUNK)) return
    widths[widest]!--
  }
}
