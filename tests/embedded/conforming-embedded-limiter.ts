import { openLimiter } from "sluice/embedded"
import type { PolicyInput } from "../../src/policy/policy.js"
import type { ConformingLimiter, MakeOptions } from "../conformance/limiter-case.js"
import type { MakeNamedLimitsOptions, NamedLimitsUnderTest } from "../conformance/named-limits-case.js"
import { temporaryFolder } from "./temporary-folder.js"

/** What the embedded limiter has not, of the suite for limiters. */
export const EMBEDDED_LACKS = {
  many: "each check is a promise of its own; checks that come together share a commit by themselves",
  maxKeys: "a store forgets no key that is not full, so there is no bound to keep",
  size: "doctor() tells how many keys are held, and compactions sweep",
} as const

/** The default limit of a new store, as a limiter of one policy. */
export async function makeEmbeddedLimiter(policy: PolicyInput, { clock }: MakeOptions): Promise<ConformingLimiter> {
  const limiter = await openLimiter({ path: temporaryFolder(), policy, clock })
  const view = limiter.of("default")
  return Object.assign(view, {
    setPolicy: async (next: PolicyInput) => {
      await limiter.define("default", next)
    },
    close: () => limiter.close(),
  })
}

/** A new store with some limits. */
export function makeEmbeddedLimits({ clock, limits }: MakeNamedLimitsOptions): Promise<NamedLimitsUnderTest> {
  return openLimiter({ path: temporaryFolder(), clock, limits })
}
