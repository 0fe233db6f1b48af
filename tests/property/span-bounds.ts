import type { Rule } from "../../src/policy/policy.js"
import type { Receipt } from "../../src/types/receipt.js"

/** The most units that a rule may admit from one moment to another `spanMs` later, both included. */
function mostUnits(rule: Rule, spanMs: number): bigint {
  const capacity = BigInt(rule.capacity)
  const span = BigInt(spanMs)
  const period = BigInt(rule.periodMs)
  if (rule.refill !== null) {
    const every = BigInt(rule.refill.everyMs)
    return capacity + BigInt(rule.refill.amount) * ((span + every - 1n) / every)
  }
  switch (rule.algorithm) {
    case "gcra":
    case "token_bucket":
    case "leaky_bucket":
      return capacity + (span * BigInt(rule.limit)) / period
    case "fixed_window":
    case "sliding_window":
      return capacity * (span / period + 2n)
    case "sliding_window_log":
      return capacity * (span / period + 1n)
  }
}

/** An admitted check, and what it counts for once part of it was given back. */
interface Charge {
  readonly receipt: Receipt
  netUnits: bigint
  settled: boolean
}

/** The charges of one key under one rule, compared with the bound of every span that ends with the newest one. */
export class SpanBounds {
  /** How many spans of more than one moment held exactly as many units as their bound allows. */
  timesFilled = 0
  readonly #rule: Rule
  readonly #charges: Charge[] = []

  constructor(rule: Rule) {
    this.#rule = rule
  }

  /** Notes an admission. @throws {Error} where a span that ends with it holds more than its bound */
  charged(receipt: Receipt): void {
    this.#charges.push({ receipt, netUnits: BigInt(receipt.cost), settled: false })
    let admitted = 0n
    for (const charge of this.#charges.toReversed()) {
      admitted += charge.netUnits
      const spanMs = receipt.chargedAtMs - charge.receipt.chargedAtMs
      const most = mostUnits(this.#rule, spanMs)
      if (admitted > most) {
        throw new Error(`${admitted} units were admitted within ${spanMs} ms, ${most} are allowed, by ${this.#told()}`)
      }
      if (admitted === most && spanMs > 0) this.timesFilled++
    }
  }

  /** The charge of that number, newest first, unless it was refunded before. */
  unsettled(number: number): Receipt | undefined {
    const charge = this.#charges.at(-1 - number)
    return charge?.settled === false ? charge.receipt : undefined
  }

  /** Notes a refund, whether or not the limiter gave that much back. */
  refunded(receipt: Receipt, units: number): void {
    for (const charge of this.#charges) {
      if (charge.receipt !== receipt) continue
      charge.netUnits -= BigInt(units)
      charge.settled = true
    }
  }

  #told(): string {
    const charges = this.#charges.map(({ receipt, netUnits }) => `${netUnits} at ${receipt.chargedAtMs}`)
    return `${JSON.stringify(this.#rule)}: ${charges.join(", ")}`
  }
}
