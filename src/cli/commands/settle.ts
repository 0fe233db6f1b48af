import { type AnyDecision, receiptsOf } from "../../limiter/receipts.js"
import { MAX_UNITS } from "../../policy/policy-range.js"
import { show } from "../../types/errors.js"
import type { Receipt } from "../../types/receipt.js"
import type { Command, CommandCall } from "../command.js"
import { LIMIT_OPTION } from "../common-options.js"
import { formatCount } from "../format.js"
import { limitChoice, readWhole } from "../option-values.js"
import { write } from "../output.js"
import { plainName } from "../plain-text.js"
import { UsageError } from "../usage-error.js"

const RECEIPT_FORMS = "what check --json printed, or its receipt, or - to read that from standard input"

/**
 * The receipts that the first argument tells: of a decision, all of its own.
 *
 * @throws {UsageError} where it tells none
 */
async function receiptsTold({ positionals, terminal }: CommandCall): Promise<readonly Receipt[]> {
  const typed = positionals[0]!
  const text = typed === "-" ? await terminal.read() : typed
  let told: unknown
  try {
    told = JSON.parse(text)
  } catch {
    throw new UsageError(`Cannot settle: RECEIPT is ${show(text)}, allowed is ${RECEIPT_FORMS}.`)
  }
  const isDecision = typeof told === "object" && told !== null && "allowed" in told
  const receipts = isDecision ? receiptsOf(told as AnyDecision) : [told as Receipt]
  if (receipts.length > 0) return receipts
  throw new UsageError("Cannot settle: the decision has no receipt, as it charged nothing.")
}

export const limitRefund: Command = {
  name: "limit refund",
  summary: "Give back units that a check charged, all if not told otherwise. A receipt settles once.",
  usage: "RECEIPT [UNITS]",
  least: 1,
  most: 2,
  asks: "limits",
  options: {},
  examples: ["sluice check user:42 --cost 5 --json > told.json; sluice limit refund - 3 < told.json"],
  async run(call) {
    const typed = call.positionals[1]
    const units = typed === undefined ? undefined : readWhole("UNITS", typed, 0, MAX_UNITS)
    const receipts = await receiptsTold(call)
    const { limits } = await call.target()
    for (const receipt of receipts) await limits.refund(receipt, units)
    const { key, cost } = receipts[0]!
    write(call, { key, units: units ?? cost }, () => {
      return `${plainName(key)} has ${formatCount(units ?? cost, "unit")} back, unless its receipt was settled before\n`
    })
  },
}

export const limitSettle: Command = {
  name: "limit settle",
  summary: "Tell what a check cost in the end: less is given back, more is charged. A receipt settles once.",
  usage: "RECEIPT COST",
  least: 2,
  most: 2,
  asks: "limits",
  options: {},
  examples: ["sluice check user:42 --cost 500 --json > told.json; sluice limit settle - 380 < told.json"],
  async run(call) {
    const cost = readWhole("COST", call.positionals[1]!, 0, MAX_UNITS)
    const receipts = await receiptsTold(call)
    const { limits } = await call.target()
    for (const receipt of receipts) await limits.settle(receipt, cost)
    const { key } = receipts[0]!
    write(call, { key, cost }, () => {
      return `${plainName(key)} is charged ${formatCount(cost, "unit")} in the end, unless its receipt was settled before\n`
    })
  },
}

export const limitCharge: Command = {
  name: "limit charge",
  summary: "Take units of a key whatever is left: a penalty, which may go into debt.",
  usage: "KEY UNITS",
  least: 2,
  most: 2,
  asks: "limits",
  options: { limit: LIMIT_OPTION },
  examples: ["sluice limit charge ip:192.0.2.1 20 --limit api"],
  async run(call) {
    const key = call.positionals[0]!
    const units = readWhole("UNITS", call.positionals[1]!, 0, MAX_UNITS)
    const { limits } = await call.target()
    await limits.charge(key, units, limitChoice(call))
    write(call, { key, units }, () => `${plainName(key)} is charged ${formatCount(units, "unit")}\n`)
  },
}
