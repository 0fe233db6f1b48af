import { test } from "vitest"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
const Y = 315_360_000_000
test("probe", () => {
  const clock = new ManualClock(1)
  const show = (what: string, l: RateLimiter, key = "a", cost = 0) => { const d = l.peek(key, { cost }); console.log("\n@", clock.now(), what, d.allowed, "rem", d.remaining, "retry", d.retryAfterMs, "reset", d.resetAfterMs) }
  {
  const l = new RateLimiter({ limit: 1, period: Y, algorithm: "token_bucket", refill: { amount: 1, every: Y } }, { clock })
  l.charge("a", 300)
  show("step debt 300", l); clock.advance(1); show("step debt", l); clock.advance(Y); show("debt", l); clock.advance(70 * Y); show("debt", l)
  l.charge("a", 300); show("debt charged again", l)
  clock.set(1)
  l.charge("b", 2**31); show("b", l, "b"); l.charge("b", 2**31); show("b", l, "b"); clock.advance(Y); show("b", l, "b")
  }
  {
  clock.set(1)
  const p = { limit: 1, period: Y, algorithm: "leaky_bucket" as const }
  const l = new RateLimiter(p, { clock })
  l.charge("b", 2**31); show("b", l, "b"); l.charge("b", 2**31); show("b", l, "b"); clock.advance(Y); show("b", l, "b")
  }
  {
  clock.set(1)
  const p = { limit: 2, period: 1000 }
  const l = new RateLimiter(p, { clock })
  l.charge("a", 1); clock.set(100); show("before", l); l.setPolicy(p); show("same policy", l)
  l.setPolicy({ limit: 4, period: 1000 }); show("other policy", l)
  }
})
