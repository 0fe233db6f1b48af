import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import type { CheckItem } from "../../src/types/limiter.js"
import { EdgeLimits } from "../../worker/api/edge-limits.js"
import { LimitDirectory } from "../../worker/api/limit-directory.js"
import { Registry } from "../../worker/api/registry.js"
import { Reporter } from "../../worker/api/reporter.js"
import type { MakeNamedLimitsOptions } from "../conformance/named-limits-case.js"
import { historyCases } from "../conformance/named-limits-cases/history.js"

/** The registry has the time of the platform. */
const CLOCKED = "history(): a key's events under one limit, newest first"

function edgeLimits(): EdgeLimits {
  const registry = new Registry(env)
  const [directory, reporter] = [new LimitDirectory(registry), new Reporter(registry)]
  return new EdgeLimits({ limiter: env.LIMITER, registry, directory, reporter, settled: new Map() })
}

/** A limit that is removed and defined anew has new objects, so nothing is left of the case before. */
async function make({ limits }: MakeNamedLimitsOptions): Promise<EdgeLimits> {
  const made = edgeLimits()
  for (const [name, policy] of Object.entries(limits)) {
    await made.remove(name)
    await made.define(name, policy)
  }
  return made
}

describe("EdgeLimits", () => {
  for (const { name, run } of historyCases) {
    if (name === CLOCKED) test.skip(`${name} (skipped: it sets the clock of the registry too)`, () => {})
    else test(name, () => run(make))
  }

  test("checkAll() refuses what are no items before it looks for a limit", async () => {
    for (const items of [undefined, "ab", [null]] as unknown as (readonly CheckItem[])[]) {
      await expect(edgeLimits().checkAll(items)).rejects.toThrow("Cannot check all: items")
    }
    await expect(edgeLimits().allowAll([])).rejects.toThrow(RangeError)
  })
})
