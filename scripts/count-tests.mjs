// Prints what vitest's JSON report counted, as one line: `N passed, N failed` and, where there are any, `, N skipped`.
// A file that failed without a failed test (it could not be loaded, a hook threw) counts as one failure, and so does a
// report that is missing, so a broken run never looks like a clean one.
import { readFileSync } from "node:fs"

function count(file) {
  let report
  try {
    report = JSON.parse(readFileSync(file, "utf8"))
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const having = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length
  const broken = report.testResults.filter(({ status, assertionResults }) => {
    return status === "failed" && !assertionResults.some((test) => test.status === "failed")
  })
  const passed = having("passed")
  const skipped = having("skipped", "pending", "todo", "disabled")
  let failed = tests.length - passed - skipped + broken.length
  // An error outside of all tests fails the run too.
  if (!report.success && failed === 0) failed = 1
  if (tests.length === 0 && failed === 0) failed = 1
  return { passed, failed, skipped }
}

const { passed, failed, skipped } = count(process.argv[2])
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exit(failed === 0 ? 0 : 1)
