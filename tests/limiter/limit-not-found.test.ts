import { describe, expect, test } from "vitest"
import { problemAnswer } from "../../src/api/problem-answer.js"
import { errorOfProblem } from "../../src/client/error-of-problem.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { LimitNotFound } from "../../src/types/errors.js"
import { serveApi } from "../api/serve-api.js"

describe("LimitNotFound", () => {
  test("names the limit that was asked for, and tells where those that are there are listed", () => {
    const limits = new MemoryLimits({ limits: { api: "2/minute" } })
    expect(() => limits.check("ada", { limit: "apy" })).toThrow(
      'Cannot find the limit "apy": limits() lists those configured.',
    )
  })

  test("of a key that nothing limits says so, and does not call it a limit", () => {
    const limits = new MemoryLimits({ limits: { api: "2/minute" } })
    expect(() => limits.check("ada")).toThrow('Cannot find the limit of key "ada": limits() lists those configured.')
  })

  test("of a limiter that has one limit says which", () => {
    expect(() => new RateLimiter("2/minute").checkAll([{ key: "a", limit: "api" }])).toThrow(
      'Cannot find the limit "api": this limiter has one limit, "default".',
    )
  })

  test("in the API tells what is known in place of the listing, and the client makes the same error of it", async () => {
    const { ask } = serveApi({ api: "2/minute" })
    const hostile = await ask("POST", "/v1/check", { key: ": limits() lists" })
    expect(hostile.json).toMatchObject({
      detail: 'Cannot find the limit of key ": limits() lists": GET /v1/limits lists those configured.',
    })
    const error = new LimitNotFound("apy", "limit", "the configuration has api")
    expect(error.messageWhere("somebody lists them")).toBe(error.message)
    const { status, body } = problemAnswer(error)
    const revived = errorOfProblem(status, JSON.parse(String(body)), null, "")
    expect(revived).toEqual(error)
    expect(revived).toMatchObject({ known: "the configuration has api", limit: "apy", of: "limit" })
    const other = errorOfProblem(400, JSON.parse(String(problemAnswer(new LimitNotFound("apy")).body)), null, "")
    expect((other as LimitNotFound).messageWhere("sluice limit list tells them")).toBe(
      'Cannot find the limit "apy": sluice limit list tells them.',
    )
  })

  test("in the API keeps the error that clients know, and tells the limit and where they are listed", async () => {
    const { ask } = serveApi({ api: "2/minute" })
    const named = await ask("POST", "/v1/check", { key: "ada", limit: "apy" })
    expect(named).toMatchObject({
      status: 400,
      json: {
        error: "limit is not configured",
        detail: 'Cannot find the limit "apy": GET /v1/limits lists those configured.',
        code: "LIMIT_NOT_FOUND",
        limit: "apy",
        of: "limit",
      },
    })
    const byKey = await ask("POST", "/v1/check", { key: "ada" })
    expect(byKey.json).toMatchObject({
      error: "limit is not configured",
      detail: expect.stringMatching(/^Cannot find the limit of key "ada": GET \/v1\/limits lists/),
      limit: "ada",
      of: "key",
    })
  })
})
