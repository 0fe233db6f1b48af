import { describe } from "vitest"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { declareNamedLimitsCases } from "./declare-named-limits-cases.js"

describe("MemoryLimits", () => {
  declareNamedLimitsCases(
    ({ clock, limits }) => new MemoryLimits({ clock, limits, stats: true, names: 1_000, history: 20 }),
  )
})
