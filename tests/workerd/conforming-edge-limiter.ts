import { env } from "cloudflare:workers"
import type { PolicyInput } from "../../src/policy/policy.js"
import type { AllOptions, CheckItem, CheckOptions } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { EdgeLimiter } from "../../worker/sluice-worker.js"
import type { ConformingLimiter, MakeOptions } from "../conformance/limiter-case.js"
import { setClock } from "./clocked-limiter-object.js"

let made = 0

/**
 * An `EdgeLimiter` with the one verb that it has not: its policy comes with each call, so another policy is another
 * limiter of the same name.
 */
export class ConformingEdgeLimiter implements ConformingLimiter {
  readonly #name: string
  #limiter: EdgeLimiter

  constructor(policy: PolicyInput, { clock }: MakeOptions) {
    this.#name = `conformance ${++made}`
    setClock(this.#name, clock)
    this.#limiter = this.#under(policy)
  }

  #under(policy: PolicyInput): EdgeLimiter {
    return new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name: this.#name, denialCache: false })
  }

  async setPolicy(policy: PolicyInput): Promise<void> {
    this.#limiter = this.#under(policy)
  }

  check = (key: string, options?: CheckOptions) => this.#limiter.check(key, options)
  peek = (key: string, options?: CheckOptions) => this.#limiter.peek(key, options)
  allow = (key: string, options?: CheckOptions) => this.#limiter.allow(key, options)
  checkAll = (items: readonly CheckItem[], options?: AllOptions) => this.#limiter.checkAll(items, options)
  allowAll = (items: readonly CheckItem[], options?: AllOptions) => this.#limiter.allowAll(items, options)
  refund = (receipt: Receipt, units?: number) => this.#limiter.refund(receipt, units)
  settle = (receipt: Receipt, actualCost: number) => this.#limiter.settle(receipt, actualCost)
  charge = (key: string, units: number) => this.#limiter.charge(key, units)
  block = (key: string, duration: string | number) => this.#limiter.block(key, duration)
  unblock = (key: string) => this.#limiter.unblock(key)
  reset = (key: string) => this.#limiter.reset(key)
  status = (key: string) => this.#limiter.status(key)
  stats = (key: string) => this.#limiter.stats(key)
}
