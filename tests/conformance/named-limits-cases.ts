import type { NamedLimitsCase } from "./named-limits-case.js"
import { checkAllCases } from "./named-limits-cases/check-all.js"
import { choiceCases } from "./named-limits-cases/choice.js"
import { definitionCases } from "./named-limits-cases/definitions.js"
import { explainCases } from "./named-limits-cases/explain.js"
import { historyCases } from "./named-limits-cases/history.js"
import { idCases } from "./named-limits-cases/ids.js"
import { keyCases } from "./named-limits-cases/keys.js"
import { listingCases } from "./named-limits-cases/listings.js"
import { receiptCases } from "./named-limits-cases/receipts.js"

/** What every class of named limits must do, in memory or durable. */
export const namedLimitsCases: readonly NamedLimitsCase[] = [
  ...choiceCases,
  ...definitionCases,
  ...keyCases,
  ...checkAllCases,
  ...receiptCases,
  ...idCases,
  ...listingCases,
  ...historyCases,
  ...explainCases,
]
