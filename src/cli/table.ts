import { cutText } from "./plain-text.js"
import type { Style } from "./style.js"

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
    return cells.reduce((most, line) => Math.max(most, length(line[index]!)), title.length)
  })
  const total = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1)
  const shrinking = columns.findIndex(({ shrinks }) => shrinks)
  if (shrinking >= 0 && total > width) {
    widths[shrinking] = Math.max(LEAST_SHRUNK, widths[shrinking]! - (total - width))
  }
  const pad = (text: string, index: number) => {
    const fill = " ".repeat(Math.max(0, widths[index]! - length(text)))
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

function length(text: string): number {
  return [...text].length
}
