import { expect, test } from "vitest"
import type { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import type { Policy } from "../../src/policy/policy.js"
import { PoliciesInForce } from "../../worker/policies-in-force.js"
import { SubjectReader } from "../../worker/subject-reader.js"
import { canonical } from "./objects.js"

test("PoliciesInForce forgets limits that the ledger has removed, and remembers the others", () => {
  const limits = new Map<string, LedgerLimit>()
  const ledger = {
    limit: (name: string) => limits.get(name),
    define(name: string, policy: Policy) {
      limits.set(name, { name, policy } as LedgerLimit)
      return limits.get(name)
    },
  } as unknown as Ledger
  const policies = new PoliciesInForce()
  const reader = new SubjectReader()
  const send = (limit: string, policy: string) =>
    policies.limitFor(ledger, reader.read({ limit, policy: canonical(policy) }), 0).policy
  send("steady", "10/minute")
  const inForce = send("steady", "20/minute")
  for (let removed = 0; removed < 1_000; removed++) {
    send(`limit ${removed}`, "10/minute")
    limits.delete(`limit ${removed}`)
    expect(policies.size).toBeLessThanOrEqual(4)
  }
  // The other policy was superseded a moment ago, which is still known.
  expect(send("steady", "10/minute")).toBe(inForce)
})
