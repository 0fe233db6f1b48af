import { expect, test } from "vitest"
import { chosenPolicy, namedLimiters, rateLimit } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { PolicyError } from "../../src/types/errors.js"
import { ok, requestOf } from "./requests.js"

test.each([
  ["10/h as pro", {}, "10/hour as pro"],
  [{ limit: 10, period: "60m", name: "pro" }, {}, "10/hour as pro"],
  ["10/h", {}, "10/hour"],
  ["10/h", { name: "user" }, "10/hour as user"],
  ["10/h as pro", { name: "user" }, "10/hour as pro"],
])("chosenPolicy(%j, %j) has the name of a limit in namedLimiters()", async (policy, limit, limitName) => {
  const limits = new MemoryLimits()
  const limited = rateLimit(ok, {
    limits: [{ ...limit, policy: () => policy, key: () => "a" }],
    limiter: namedLimiters(limits),
  })
  await limited(requestOf())
  const chosen = chosenPolicy(policy, limit)
  expect(chosen.limitName).toBe(limitName)
  expect(limits.peek("a", { limit: limitName }).remaining).toBe(9)
})

test("chosenPolicy() gives the same policy again, and leaves one alone that has a limit's name", () => {
  const policy = parsePolicy("10/h as pro")
  expect(chosenPolicy(policy)).toBe(chosenPolicy("10/h as pro"))
  const configured = { ...policy, limitName: "api\ntier:pro" }
  expect(chosenPolicy(configured).limitName).toBe("api\ntier:pro")
})

test("chosenPolicy() refuses what can be no policy, and an option that there is none of", () => {
  expect(() => chosenPolicy("10/fortnight")).toThrow(PolicyError)
  expect(() => chosenPolicy("10/h", { limitName: "api" } as never)).toThrow(
    'Cannot choose a policy: option is "limitName", allowed is name',
  )
})
