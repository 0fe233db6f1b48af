import type { Rule } from "../../src/policy/policy.js"
import type { Receipt } from "../../src/types/receipt.js"
import { ruleOracle } from "../oracle/registry.js"
import type { RuleOracle } from "../oracle/rule-oracle.js"

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
  readonly #oracle: RuleOracle<object>
  readonly #charges: Charge[] = []

  constructor(rule: Rule) {
    this.#rule = rule
    this.#oracle = ruleOracle(rule)
  }

  /** Notes an admission. @throws {Error} where a span that ends with it holds more than its bound */
  charged(receipt: Receipt): void {
    this.#charges.push({ receipt, netUnits: BigInt(receipt.cost), settled: false })
    let admitted = 0n
    for (const charge of this.#charges.toReversed()) {
      admitted += charge.netUnits
      const spanMs = receipt.chargedAtMs - charge.receipt.chargedAtMs
      const most = this.#oracle.mostUnits(BigInt(spanMs))
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
