import { MAX_UNITS } from "../../policy/policy-range.js"
import { type Kinds, OBJECT, required, requireFields, TEXT, whole } from "../../policy/require-fields.js"
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

const RECEIPT_KINDS: Kinds<Receipt> = {
  id: required(TEXT),
  key: required(TEXT),
  policy: required(TEXT),
  cost: required(whole(1, MAX_UNITS)),
  chargedAtMs: required(whole(0, Number.MAX_SAFE_INTEGER)),
}

/**
 * The receipts that the first argument tells: of a decision, all of its own.
 *
 * @throws {UsageError} where it tells none; {RangeError} where one is none
 */
async function receiptsTold({ positionals, terminal }: CommandCall, verb: string): Promise<readonly Receipt[]> {
  const typed = positionals[0]!
  const text = typed === "-" ? await terminal.read() : typed
  let told: unknown
  try {
    told = JSON.parse(text)
  } catch {
    throw new UsageError(`Cannot ${verb}: RECEIPT is ${show(text)}, allowed is ${RECEIPT_FORMS}.`)
  }
  const receipts = receiptsIn(told) as Receipt[]
  for (const receipt of receipts) requireFields(verb, receipt, RECEIPT_KINDS, "receipt.")
  if (receipts.length > 0) return receipts
  throw new UsageError(`Cannot ${verb}: the decision has no receipt, as it charged nothing.`)
}

/**
 * Those of a decision, of each limit of a group, or of each check of several; what is none of them is to be a receipt.
 */
function receiptsIn(told: unknown): unknown[] {
  if (!OBJECT.fits(told)) return [told]
  const { decisions, limits, allowed, receipt } = told as Readonly<Record<string, unknown>>
  const parts = decisions ?? limits
  if (Array.isArray(parts)) return parts.flatMap(receiptsIn)
  if (allowed === undefined) return [told]
  return receipt === undefined ? [] : [receipt]
}

export const limitRefund: Command = {
  name: "limit refund",
  summary: "Give back units that a check charged, all if not told otherwise. A receipt settles once.",
  usage: "RECEIPT [UNITS]",
  minArguments: 1,
  maxArguments: 2,
  asks: "limits",
  options: {},
  examples: ["sluice check user:42 --cost 5 --json > told.json; sluice limit refund - 3 < told.json"],
  async run(call) {
    const typed = call.positionals[1]
    const receipts = await receiptsTold(call, "refund")
    // As many as each can give back, that none is refused after another was settled.
    const most = Math.min(...receipts.map(({ cost }) => cost))
    const given = typed === undefined ? undefined : readWhole("UNITS", typed, 0, most)
    const { limits } = await call.target()
    for (const receipt of receipts) {
      const { key, policy, cost } = receipt
      const units = given ?? cost
      await limits.refund(receipt, units)
      write(call, { key, policy, units }, () => {
        const back = `${formatCount(units, "unit")} back under ${plainName(policy)}`
        return `${plainName(key)} has ${back}, unless its receipt was settled before\n`
      })
    }
  },
}

export const limitSettle: Command = {
  name: "limit settle",
  summary: "Tell what a check cost in the end: less is given back, more is charged. A receipt settles once.",
  usage: "RECEIPT COST",
  minArguments: 2,
  maxArguments: 2,
  asks: "limits",
  options: {},
  examples: ["sluice check user:42 --cost 500 --json > told.json; sluice limit settle - 380 < told.json"],
  async run(call) {
    const cost = readWhole("COST", call.positionals[1]!, 0, MAX_UNITS)
    const receipts = await receiptsTold(call, "settle")
    const { limits } = await call.target()
    for (const receipt of receipts) {
      const { key, policy } = receipt
      await limits.settle(receipt, cost)
      write(call, { key, policy, cost }, () => {
        const charged = `${formatCount(cost, "unit")} in the end under ${plainName(policy)}`
        return `${plainName(key)} is charged ${charged}, unless its receipt was settled before\n`
      })
    }
  },
}

export const limitCharge: Command = {
  name: "limit charge",
  summary: "Take units of a key whatever is left: a penalty, which may go into debt.",
  usage: "KEY UNITS",
  minArguments: 2,
  maxArguments: 2,
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
