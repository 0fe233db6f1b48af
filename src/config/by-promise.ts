import type { NamedLimits } from "../limiter/named-limits.js"
import type { Awaitable } from "../types/limiter.js"

/** The verbs over several limits, each by promise. */
export type ByPromise = {
  [Verb in keyof NamedLimits]: (
    ...told: Parameters<NamedLimits[Verb]>
  ) => Promise<Awaited<ReturnType<NamedLimits[Verb]>>>
}

/**
 * The limits' own verbs, each by promise.
 *
 * @param errorOf what is thrown in place of what a verb throws
 */
export function byPromise(limits: NamedLimits, errorOf: (error: unknown) => unknown): ByPromise {
  const ask = async <Answer>(answer: () => Awaitable<Answer>): Promise<Answer> => {
    try {
      return await answer()
    } catch (error) {
      throw errorOf(error)
    }
  }
  return {
    define: (...told) => ask(() => limits.define(...told)),
    remove: (...told) => ask(() => limits.remove(...told)),
    limits: (...told) => ask(() => limits.limits(...told)),
    limit: (...told) => ask(() => limits.limit(...told)),
    check: (...told) => ask(() => limits.check(...told)),
    allow: (...told) => ask(() => limits.allow(...told)),
    peek: (...told) => ask(() => limits.peek(...told)),
    checkAll: (...told) => ask(() => limits.checkAll(...told)),
    allowAll: (...told) => ask(() => limits.allowAll(...told)),
    refund: (...told) => ask(() => limits.refund(...told)),
    settle: (...told) => ask(() => limits.settle(...told)),
    charge: (...told) => ask(() => limits.charge(...told)),
    block: (...told) => ask(() => limits.block(...told)),
    unblock: (...told) => ask(() => limits.unblock(...told)),
    reset: (...told) => ask(() => limits.reset(...told)),
    status: (...told) => ask(() => limits.status(...told)),
    stats: (...told) => ask(() => limits.stats(...told)),
    list: (...told) => ask(() => limits.list(...told)),
    top: (...told) => ask(() => limits.top(...told)),
    history: (...told) => ask(() => limits.history(...told)),
    explain: (...told) => ask(() => limits.explain(...told)),
  }
}
