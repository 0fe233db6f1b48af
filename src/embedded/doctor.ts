import { FORMAT } from "../ledger/envelope.js"
import type { Ledger } from "../ledger/ledger.js"
import type { Verification } from "../ledger/verification.js"
import type { DoctorReport, EmbeddedStore } from "./embedded-store.js"

/**
 * Looks at everything that can be wrong with a store.
 *
 * @param open gives its ledger, which may have to be opened anew; where it cannot be opened, that is told as a fault
 */
export async function examine(open: () => Ledger | Promise<Ledger>, store: EmbeddedStore): Promise<DoctorReport> {
  const fileProblems = store.findFileProblems()
  const problems = [...fileProblems]
  let ledger: Ledger | null = null
  let found: Verification | null = null
  try {
    ledger = await open()
    found = await ledger.verify()
    if (!found.replayEqualsLive) problems.push("Replaying the log does not give the live state.")
    store.tryCommit()
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
  const gaveUp = ledger?.compactionProblem
  if (gaveUp) problems.push(gaveUp.message)
  problems.push(...store.findProblems())
  const { path, sync, lastCommitAtMs } = store
  const limits = ledger?.isOpen ? ledger.limits : []
  return {
    ok: problems.length === 0,
    // What is wrong with the file may be why it could not be opened.
    problems: [...new Set(problems)],
    path,
    sync,
    format: FORMAT,
    rows: found?.rows ?? 0,
    bytes: found?.bytes ?? 0,
    records: found?.records ?? 0,
    sequence: found?.sequence ?? 0,
    coveredSequence: found?.coveredSequence ?? 0,
    replayEqualsLive: found?.replayEqualsLive ?? false,
    fileIsSound: fileProblems.length === 0,
    lastCommitAtMs,
    limits: limits.length,
    keys: limits.reduce((sum, { size }) => sum + size, 0),
  }
}
