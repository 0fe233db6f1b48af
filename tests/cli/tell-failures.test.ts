import { expect, test } from "vitest"
import { tellFailures } from "../../src/cli/tell-failures.js"
import { ManualClock } from "../../src/types/clock.js"
import { StoreUnavailable } from "../../src/types/errors.js"

const FULL = new StoreUnavailable("a commit failed: database or disk is full")

test("the first failure is told at once, and those that follow together, every ten seconds", () => {
  const clock = new ManualClock(1_700_000_000_000)
  const lines: string[] = []
  const tell = tellFailures((line) => lines.push(line), clock)
  tell(FULL, 0)
  expect(lines.splice(0)).toEqual(["Cannot reach the store: a commit failed: database or disk is full."])
  for (let times = 0; times < 1_000; times++) tell(FULL, 3)
  expect(lines).toEqual([])
  clock.advance(10_000)
  tell(FULL, 2)
  expect(lines.splice(0)).toEqual([
    "Cannot reach the store: a commit failed: database or disk is full. 1001 commits failed since the last such line. " +
      "At most 3002 records that were told are lost.",
  ])
  clock.advance(10_000)
  tell(new StoreUnavailable("\u001b[2J"), 1)
  expect(lines).toEqual([expect.stringMatching(/^[\x20-\x7e]+ At most 1 records that were told are lost\.$/)])
})
