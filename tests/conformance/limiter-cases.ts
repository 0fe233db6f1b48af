import { acquireCases } from "./cases/acquire.js"
import { blockCases } from "./cases/block.js"
import { chargeCases } from "./cases/charge.js"
import { clockCases } from "./cases/clock.js"
import { costCases } from "./cases/costs.js"
import { decisionCases } from "./cases/decision.js"
import { everyAlgorithmCases } from "./cases/every-algorithm.js"
import { fixedWindowCases } from "./cases/fixed-window.js"
import { gcraCases } from "./cases/gcra.js"
import { idCases } from "./cases/ids.js"
import { keyCases } from "./cases/keys.js"
import { leakyBucketCases } from "./cases/leaky-bucket.js"
import { manyCases } from "./cases/many.js"
import { refundCases } from "./cases/refund.js"
import { roomCases } from "./cases/room.js"
import { setPolicyCases } from "./cases/set-policy.js"
import { severalRulesCases } from "./cases/several-rules.js"
import { slidingWindowCases } from "./cases/sliding-window.js"
import { slidingWindowLogCases } from "./cases/sliding-window-log.js"
import { statsCases } from "./cases/stats.js"
import { statusCases } from "./cases/status.js"
import { togetherCases } from "./cases/together.js"
import { tokenBucketCases } from "./cases/token-bucket.js"
import type { LimiterCase } from "./limiter-case.js"

/** What every limiter must do, on every runtime. */
export const limiterCases: readonly LimiterCase[] = [
  ...decisionCases,
  ...gcraCases,
  ...tokenBucketCases,
  ...leakyBucketCases,
  ...fixedWindowCases,
  ...slidingWindowCases,
  ...slidingWindowLogCases,
  ...everyAlgorithmCases,
  ...severalRulesCases,
  ...costCases,
  ...keyCases,
  ...manyCases,
  ...togetherCases,
  ...idCases,
  ...acquireCases,
  ...refundCases,
  ...chargeCases,
  ...blockCases,
  ...statusCases,
  ...statsCases,
  ...setPolicyCases,
  ...clockCases,
  ...roomCases,
]
