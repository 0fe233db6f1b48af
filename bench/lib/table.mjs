/**
 * Lays out rows of text in aligned columns: the first left, the others right.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows each as long as `head`, or one cell and a remark that runs on freely
 */
export function table(head, rows) {
  const full = rows.filter((row) => row.length === head.length)
  const widths = head.map((title, column) => Math.max(title.length, ...full.map((row) => row[column].length)))
  widths[0] = Math.max(widths[0], ...rows.map((row) => row[0].length))
  const line = (row) =>
    row.length < head.length
      ? `${row[0].padEnd(widths[0])}  ${row.slice(1).join(" ")}`.trimEnd()
      : row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  ")
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n")
}

/** `1234.5` → `"1,235"`: rounded to the nearest whole number. */
export const whole = (value) => Math.round(value).toLocaleString("en-US")

/** Three digits that matter, at most three decimals: `0.158`, `2.61`, `18.7`, `140`. */
export function digits(value) {
  if (value === 0) return "0"
  const decimals = Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))))
  return value.toFixed(decimals)
}
