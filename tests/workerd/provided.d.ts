import "vitest"

/** What vitest.config.ts provides. */
declare module "vitest" {
  interface ProvidedContext {
    /** Scenarios of the properties under faults. */
    faultRuns: number
    /** The seed of the first of them. */
    faultSeed: number
  }
}
