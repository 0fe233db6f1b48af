import { expect, test } from "vitest"
import { embeddedStorage } from "../../src/api/embedded-storage.js"
import { openLimiter } from "../../src/limiter/open-limiter.node.js"
import { Scratch } from "../cli/run.js"

test("doctor() says of a log that it could not read nothing but that", async () => {
  using scratch = new Scratch()
  await using limiter = await openLimiter({ path: scratch.path, policy: "5/minute" })
  const storage = embeddedStorage(limiter, () => 0)
  expect(await storage.doctor()).toContainEqual(expect.objectContaining({ name: "log", ok: true }))
  const report = await limiter.doctor()
  const problems = ["Cannot reach the store: a commit failed."]
  limiter.doctor = async () => ({ ...report, ok: false, problems, rows: 0, records: 0, replayEqualsLive: false })
  expect(await storage.doctor()).toEqual([
    { name: "store", ok: false, detail: "Cannot reach the store: a commit failed." },
    { name: "file", ok: true, detail: "SQLite finds it sound" },
    { name: "log", ok: false, detail: "it could not be read" },
  ])
})
