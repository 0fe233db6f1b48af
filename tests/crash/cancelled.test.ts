import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import type { Decision } from "../../src/types/decision.js"
import type { KeyStatus } from "../../src/types/limiter.js"
import { WorkerdProcess } from "./workerd-process.js"

const ROUNDS = 60
const LIMIT = 1_000_000
/** Of a period that no test outlasts: each unit that is used stays used. */
const POLICY = `${LIMIT}/520w fixed_window`
const LEAVING = 24
const STAYING = 12
/** Clients go at any moment of a check: before it is sent, while it is carried, while it carries others. */
const LEAVE_AFTER_MS_MOST = 8

test("checks that share calls are all answered though most clients go away in the middle", async () => {
  await using workerd = await WorkerdProcess.of("../workerd/cancel-worker.ts", { POLICY })
  await workerd.start()
  let told = 0
  let left = 0
  for (let round = 0; round < ROUNDS; round++) {
    const leaving = Array.from({ length: LEAVING }, async () => {
      const isTold = await workerd.askUntil("/check/hot", sleep(Math.random() * LEAVE_AFTER_MS_MOST))
      if (isTold) told += 1
      else left += 1
    })
    const staying = Array.from({ length: STAYING }, async () => {
      // A carrier that was lost would be a failure, which this throws.
      expect(await workerd.ask<Decision>("/check/hot")).toMatchObject({ allowed: true, key: "hot" })
      told += 1
    })
    await Promise.all([...leaving, ...staying])
  }
  expect(left, "clients that went away").toBeGreaterThan(ROUNDS)
  const { remaining } = (await workerd.ask<KeyStatus>("/status/hot"))!
  expect(LIMIT - remaining).toBeGreaterThanOrEqual(told)
  expect(LIMIT - remaining).toBeLessThanOrEqual(told + left)
  expect((await workerd.ask<number>("/calls"))!, "calls were shared").toBeLessThan(0.8 * told)
})

test.each(["define", "miss"])("a limit is defined though the request that does it is cancelled: %s", async (how) => {
  await using workerd = await WorkerdProcess.of("../workerd/defining-worker.ts", {})
  await workerd.start()
  const beside = Promise.withResolvers<string | null>()
  const isDefining = expect.poll(() => workerd.ask(`/definitions/${how}`)).toBe(1)
  const isTold = await workerd.askUntil(
    `/ask/${how}`,
    isDefining.then(() => beside.resolve(workerd.ask(`/ask/${how}`))),
  )
  expect(isTold).toBe(false)
  expect(await beside.promise, "asked while it was made").toBe("answered")
  expect(await workerd.ask(`/ask/${how}`), "asked later").toBe("answered")
  expect(await workerd.ask(`/definitions/${how}`)).toBe(2)
})
