import { expect, test } from "vitest"
import { limitLabel } from "../../src/metrics/limit-label.js"

test.each([
  ["a limit that was asked by name", "ann", "5-per-1d", "api", "api"],
  ["one that was not: its policy's name", "ann", "api", undefined, "api"],
  ["a key's own limit", "ann", "default", undefined, "default"],
  ["a key's own limit that was asked by its name, the key", "ann", "default", "ann", "default"],
])("limitLabel() of %s", (_of, key, policy, asked, label) => {
  expect(limitLabel({ key, policy }, asked)).toBe(label)
})
