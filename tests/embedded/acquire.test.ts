import { acquire, type Receipt, StoreUnavailable } from "sluice"
import type { EmbeddedLimiter } from "sluice/embedded"
import { afterAll, describe, expect, test } from "vitest"
import { open } from "./store-files.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)

/** The store's clock stands still: who is admitted did not wait for time. */
async function make(): Promise<EmbeddedLimiter> {
  const limiter = await open(temporaryFolder())
  await limiter.define("default", "2/hour")
  return limiter
}

/** What gives quota of the key "a" back, or lets it pass at once. */
const GIVES_BACK: Record<string, (limiter: EmbeddedLimiter, receipt: Receipt) => Promise<unknown>> = {
  "refund()": (limiter, receipt) => limiter.refund(receipt),
  "settle()": (limiter, receipt) => limiter.settle(receipt, 0),
  "unblock()": (limiter) => limiter.unblock("a"),
  "reset()": (limiter) => limiter.reset("a"),
  "define()": (limiter) => limiter.define("a", "9/hour"),
}

describe("acquire() of an embedded store", () => {
  test.each(Object.keys(GIVES_BACK))("asks at once after %s", async (how) => {
    const limiter = await make()
    const { receipt } = await limiter.check("a")
    if (how === "unblock()") await limiter.block("a", "1h")
    else await limiter.check("a")
    const wait = acquire(limiter, "a")
    expect((await limiter.peek("a")).allowed).toBe(false)
    await GIVES_BACK[how]!(limiter, receipt!)
    expect((await wait).decision.allowed).toBe(true)
    await limiter.close()
  })

  test("is refused to who waits for a limit that is removed", async () => {
    const limiter = await make()
    await limiter.check("a", { cost: 2 })
    const refused = expect(acquire(limiter, "a", { limit: "default" })).rejects.toMatchObject({ name: "LimitNotFound" })
    await limiter.peek("a")
    await limiter.remove("default")
    await refused
    await limiter.close()
  })

  test("is refused to all who wait when the store is closed, as to who comes after", async () => {
    const limiter = await make()
    await acquire(limiter, "a", { cost: 2 })
    const waits = [acquire(limiter, "a"), acquire(limiter, "a"), acquire(limiter.of("default"), "a")]
    const refused = Promise.all(
      waits.map((wait) => expect(wait).rejects.toEqual(new StoreUnavailable("the limiter is closed"))),
    )
    await limiter.peek("a")
    await limiter.close()
    await refused
    await expect(acquire(limiter, "a")).rejects.toThrow("the limiter is closed")
  })
})
