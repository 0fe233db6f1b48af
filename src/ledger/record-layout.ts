/*
 * A record of a segment. What each operation means, docs/log-format.md says.
 *
 *   │ first byte │ time │ limit, unless bit 5 │ key │ the rest │
 *
 *      7   6      5         4        3       0
 *    │ 0 │ more │ limit 0 │ cost 1 │ operation │     the first byte
 *
 *   time    signed varint: ms since the record before; of the first one, since 0
 *   limit   varint
 *   key     │ 0 │ text │   a new one, which gets the next number: the first one 1
 *           │ varint │     the number of one that the segment has named
 *
 *                   key    the rest
 *   0   define       –     │ name text │ policy text │                    more: it keeps the cells
 *   1   admit        ✓     │ cost varint, unless bit 4 │ id text, if more │
 *   2   deny         ✓     │ cost varint, unless bit 4 │ count varint │ ms from the first to the last, signed varint │
 *   3   charge       ✓     │ cost varint, unless bit 4 │
 *   4   settle       ✓     │ units signed varint │ ms since the charge, signed varint │ charge's number varint │
 *   5   block        ✓     │ ms until its end, signed varint │
 *   6   unblock      ✓
 *   7   reset        ✓
 *   8   ahead        ✓     │ units varint │
 *   9   remove       –
 *   10  open         –     │ sync varint │ charges after varint │           always limit 0, and more
 *   11  close        –     │ sync varint │                                  always limit 0
 *   12  compact      –     │ ms back to what is idle, signed varint │ statistics since, varint │   always limit 0
 */
export const OPS = [
  "define",
  "admit",
  "deny",
  "charge",
  "settle",
  "block",
  "unblock",
  "reset",
  "ahead",
  "remove",
  "open",
  "close",
  "compact",
] as const
export const OP_NUMBER = Object.fromEntries(OPS.map((op, number) => [op, number])) as Record<
  (typeof OPS)[number],
  number
>
export const OP_BITS = 0x0f
/** Cost 1, which is left out. */
export const UNIT_COST = 0x10
/** Limit 0, which is left out. */
export const FIRST_LIMIT = 0x20
/** An admission that has an id, a `define` that keeps the cells, or an `open`. */
export const HAS_MORE = 0x40
