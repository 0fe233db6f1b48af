import { badInputCases } from "./cases/bad-input.js"
import { clockCases } from "./cases/clock.js"
import { compactionCases } from "./cases/compaction.js"
import { corruptionCases } from "./cases/corruption.js"
import { crashCases } from "./cases/crash.js"
import { denialCases } from "./cases/denials.js"
import { durabilityCases } from "./cases/durability.js"
import { groupCommitCases } from "./cases/group-commit.js"
import { lostReceiptCases } from "./cases/lost-receipts.js"
import { receiptCases } from "./cases/receipts.js"
import { recoveryCases } from "./cases/recovery.js"
import { repeatCases } from "./cases/repeats.js"
import { verificationCases } from "./cases/verification.js"
import type { LedgerCase } from "./ledger-case.js"

/** What a ledger must do on every platform. */
export const ledgerCases: readonly LedgerCase[] = [
  ...groupCommitCases,
  ...denialCases,
  ...receiptCases,
  ...badInputCases,
  ...recoveryCases,
  ...clockCases,
  ...compactionCases,
  ...verificationCases,
  ...repeatCases,
  ...durabilityCases,
  ...lostReceiptCases,
  ...crashCases,
  ...corruptionCases,
]
