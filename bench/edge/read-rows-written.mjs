/**
 * What a contender's objects say they did since they were made.
 *
 * @typedef {object} RowsWritten
 * @property {number} admitted checks
 * @property {number} denied checks that reached an object
 * @property {number} rowsWritten storage rows, as billed
 * @property {number} commits
 * @property {number} calls of objects that ask for a check
 */

const FIELDS = /** @type {const} */ (["admitted", "denied", "rowsWritten", "commits", "calls"])

/**
 * Asks the contender Worker at `/rows`.
 *
 * @param {number} port
 * @returns {Promise<RowsWritten>}
 * @throws {Error} where the answer is not that
 */
export async function readRowsWritten(port) {
  const response = await fetch(`http://127.0.0.1:${port}/rows`)
  const text = await response.text()
  if (!response.ok) throw new Error(`Cannot read the rows written: /rows answered ${response.status} ${text}`)
  const report = JSON.parse(text)
  for (const field of FIELDS) {
    if (Number.isFinite(report[field])) continue
    throw new Error(`Cannot read the rows written: ${field} is missing from ${text}`)
  }
  return report
}

/**
 * Rows written between two readings.
 *
 * @param {RowsWritten} before
 * @param {RowsWritten} after
 * @param {number} answered all checks that the Worker answered in between, cached denials included
 */
export function rowsBetween(before, after, answered) {
  const difference = Object.fromEntries(FIELDS.map((field) => [field, after[field] - before[field]]))
  return {
    ...difference,
    answered,
    rowsPerCheck: difference.rowsWritten / answered,
    callsPerCheck: difference.calls / answered,
  }
}
