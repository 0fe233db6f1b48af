import type { NamedLimits } from "../limiter/named-limits.js"

/** The verbs over several limits, each by promise. */
export type ByPromise = {
  [Verb in keyof NamedLimits]: (
    ...told: Parameters<NamedLimits[Verb]>
  ) => Promise<Awaited<ReturnType<NamedLimits[Verb]>>>
}

/** The limits' own verbs, each by promise. */
export function byPromise(limits: NamedLimits): ByPromise {
  return {
    define: async (...told) => limits.define(...told),
    remove: async (...told) => limits.remove(...told),
    limits: async (...told) => limits.limits(...told),
    limit: async (...told) => limits.limit(...told),
    check: async (...told) => limits.check(...told),
    allow: async (...told) => limits.allow(...told),
    peek: async (...told) => limits.peek(...told),
    checkAll: async (...told) => limits.checkAll(...told),
    allowAll: async (...told) => limits.allowAll(...told),
    refund: async (...told) => limits.refund(...told),
    settle: async (...told) => limits.settle(...told),
    charge: async (...told) => limits.charge(...told),
    block: async (...told) => limits.block(...told),
    unblock: async (...told) => limits.unblock(...told),
    reset: async (...told) => limits.reset(...told),
    status: async (...told) => limits.status(...told),
    stats: async (...told) => limits.stats(...told),
    list: async (...told) => limits.list(...told),
    top: async (...told) => limits.top(...told),
    history: async (...told) => limits.history(...told),
    explain: async (...told) => limits.explain(...told),
  }
}
