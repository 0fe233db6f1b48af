import { describe, expect, test } from "vitest"
import { decidingLimit, isTold, unknownLimit, withNameIfFits } from "../../src/api/told-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

const NONE = new Set<string>()
const limit = (name: string, policy: string) => ({ name, policy: parsePolicy(policy) })

describe("isTold()", () => {
  test.each([
    ["the default limit", "default", "5/minute", true],
    ["one whose only rule bears its name", "api", "5/minute as api", true],
    ["one of whose rules bears its name", "api", "5/minute as api; 100/hour", true],
    ["one whose policy bears its name", "a+b", "5/minute as a; 100/hour as b", true],
    ["one whose rules have its name before the names of their rates", "10", "10/second as 10-10-per-1s; 9/hour", true],
    ["a key's own", "ann@mail.example", "5/minute", false],
    ["a key's own of several rules", "ann@mail.example", "5/minute; 100/hour", false],
    ["a key's own with which the name of a rate begins", "10", "10/second; 1000/hour", false],
    ["a key's own that is the name of a rate", "10-per-1s", "10/second; 1000/hour", false],
    ["a key's own that is all names of rates", "10-per-1s+9-per-1h", "10/second; 9/hour", false],
    ["a key's own with which a name begins that someone gave a rule", "a", "5/minute as a-b", false],
    ["a key's own that is like what an only rule is called with it", "a", "5/minute as a-default", false],
    ["a shared one whose rules have other names", "api", "5/minute as fast", false],
  ])("of %s", (_of, name, policy, told) => {
    expect(isTold(limit(name, policy), NONE)).toBe(told)
    expect(decidingLimit(limit(name, policy), NONE)).toEqual({ name, label: told ? name : "(own)" })
  })

  test("tells every name that a configuration gives", () => {
    const given = new Set(["api"])
    expect(isTold(limit("api", "5/minute; 100/hour"), given)).toBe(true)
    expect(unknownLimit("api", given).label).toBe("api")
    expect(unknownLimit("ann", given).label).toBe("(own)")
    expect(unknownLimit("default", given).label).toBe("default")
  })
})

describe("withNameIfFits()", () => {
  test.each([
    ["5/minute", "api"],
    ["5/minute; 100/hour", "api-5-per-1m+api-100-per-1h"],
    ["5/minute as fast; 100/hour", "fast+api-100-per-1h"],
    ["5/minute as fast", "fast"],
  ])("of %s names what nobody named", (policy, name) => {
    expect(withNameIfFits(parsePolicy(policy), "api").name).toBe(name)
  })

  test("makes of every limit one that is told, unless someone named all its rules", () => {
    for (const name of ["api", "10", "10-per-1s", "10-per-1s+1000-per-1h", "default"]) {
      for (const policy of ["10/second", "10/second; 1000/hour", "10/second; 10/second"]) {
        expect({ name, told: isTold({ name, policy: withNameIfFits(parsePolicy(policy), name) }, NONE) }).toEqual({
          name,
          told: true,
        })
      }
    }
  })

  test.each(["x".repeat(64), "ключ", "a-per\n"])(
    "leaves a policy as it is whose rules cannot have the name %j",
    (name) => {
      const policy = parsePolicy("10/second; 1000/hour")
      expect(withNameIfFits(policy, name)).toBe(policy)
    },
  )
})
