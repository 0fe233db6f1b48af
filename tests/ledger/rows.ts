import type { LedgerPort } from "../../src/ledger/sql-port.js"

/** All rows by id, copied. */
export function readRows(port: LedgerPort): { id: number; body: Uint8Array }[] {
  return Array.from(port.sql.rows("SELECT id, body FROM sluice_log ORDER BY id"), ({ id, body }) => ({
    id,
    body: body instanceof Uint8Array ? body.slice() : body,
  }))
}

/** Puts other rows in place of all, creating the table where there is none. */
export function replaceRows(
  port: LedgerPort,
  rows: readonly { readonly id: number; readonly body: Uint8Array }[],
): void {
  port.sql.run("CREATE TABLE IF NOT EXISTS sluice_log (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
  port.sql.run("DELETE FROM sluice_log")
  for (const { id, body } of rows) writeRow(port, id, body)
}

export function writeRow(port: LedgerPort, id: number, body: Uint8Array): void {
  port.sql.run("INSERT OR REPLACE INTO sluice_log (id, body) VALUES (?, ?)", id, body)
}

export function deleteRow(port: LedgerPort, id: number): void {
  port.sql.run("DELETE FROM sluice_log WHERE id = ?", id)
}

/** The rows as text, to compare. */
export function rowsText(port: LedgerPort): string {
  return readRows(port)
    .map(({ id, body }) => `${id}: ${body instanceof Uint8Array ? hex(body) : typeof body}`)
    .join("\n")
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
