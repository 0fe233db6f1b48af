import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { ConfiguredLimits } from "../../src/config/index.js"
import { EmbeddedLimiter } from "../../src/embedded/embedded-limiter.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { oneLimit } from "../../src/limiter/one-limit.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"

// Not by a name that the types of Node would have to know Workers for.
const edge = new URL("../../worker/edge-limiter.js", import.meta.url).pathname
const { EdgeLimiter } = (await import(edge)) as { readonly EdgeLimiter: { readonly prototype: object } }

const LIMITERS: Readonly<Record<string, object>> = {
  RateLimiter: RateLimiter.prototype,
  MemoryLimits: MemoryLimits.prototype,
  openLimiter: EmbeddedLimiter.prototype,
  SluiceClient: SluiceClient.prototype,
  EdgeLimiter: EdgeLimiter.prototype,
  oneLimit: oneLimit(new MemoryLimits(), "any"),
  fromConfig: ConfiguredLimits.prototype,
}
/** Not verbs of a limiter: what is about the object itself, or of one kind alone, and told with it. */
const OTHERS = [
  "constructor",
  ...["close", "health", "totals", "events"],
  ...["partOf", "settleUnits", "checkWithin"],
  ...["key", "limitName", "reload"],
]

const words = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word!)
const guide = readFileSync(new URL("../../docs/library.md", import.meta.url), "utf8")
const [, section = ""] = guide.split("## Which limiter has which verb\n")
const [head = [], , ...rows] = section
  .split("\n## ")[0]!
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) => line.split("|").slice(1, -1))

test("the table of verbs is what limiters have", () => {
  const names = head.slice(1).flatMap(words)
  expect(names).toEqual(Object.keys(LIMITERS))
  for (const [index, name] of names.entries()) {
    const told = rows.flatMap((row) => (row[index + 1]!.trim() === "yes" ? words(row[0]!) : []))
    const limiter = LIMITERS[name]!
    const has = Object.entries(Object.getOwnPropertyDescriptors(limiter))
      .filter(([verb, { value }]) => typeof value === "function" && !OTHERS.includes(verb))
      .map(([verb]) => verb)
    expect(told.toSorted(), name).toEqual(has.toSorted())
  }
})
