import { expect, test } from "vitest"
import { CallRate } from "../../src/edge/call-rate.js"

test.each([
  [1_000, true],
  [2_000, false],
  [10_000, false],
])("isBusy() counts this second and the one before, and nothing older: %d ms later %s", (laterMs, isBusy) => {
  const rate = new CallRate()
  rate.note(0, 1_000)
  rate.note(laterMs, 1)
  expect(rate.isBusy(laterMs + 1)).toBe(isBusy)
})
