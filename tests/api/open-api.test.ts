import { Validator } from "@seriousme/openapi-schema-validator"
import { Ajv2020 } from "ajv/dist/2020.js"
import addFormats from "ajv-formats"
import { beforeAll, describe, expect, test } from "vitest"
import { ROUTES } from "../../src/api/routes/index.js"
import { type Served, serveApi } from "./serve-api.js"

describe("/v1/openapi.json", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the document is what is looked at
  let document: any
  let ajv: Ajv2020
  let served: Served

  beforeAll(async () => {
    served = serveApi({ default: "2/minute", many: "5/second; 100/hour" })
    document = (await served.ask("GET", "/v1/openapi.json")).json
    ajv = new Ajv2020({ strict: false })
    addFormats.default(ajv)
    ajv.addSchema(document, "document")
  })

  test("is valid OpenAPI 3.1", async () => {
    const result = await new Validator().validate(structuredClone(document))
    expect(result).toEqual({ valid: true })
    expect(document.openapi).toMatch(/^3\.1\./)
  })

  test("has every route, each with an id of its own", () => {
    const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap(Object.values)
    const asked = ROUTES.length + ROUTES.filter(({ method }) => method === "GET").length
    expect(operations).toHaveLength(asked)
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(asked)
  })

  test.each([
    ["GET", "/v1/health", "/v1/health", undefined],
    ["POST", "/v1/limits", "/v1/limits", { name: "api", limit: 5, period: "1s" }],
    [
      "POST",
      "/v1/limits",
      "/v1/limits",
      { key: "a", rate: 5, per: 1000, refill: { amount: 5, every: 1000 }, algorithm: "token_bucket" },
    ],
    ["GET", "/v1/limits", "/v1/limits", undefined],
    ["GET", "/v1/limits/{key}", "/v1/limits/x", undefined],
    ["POST", "/v1/check", "/v1/check", { key: "x" }],
    ["POST", "/v1/check", "/v1/check", { key: "x", limit: "many", cost: 5, id: "1" }],
    ["POST", "/v1/check", "/v1/check", { key: "x", limit: "many", cost: 5 }],
    ["POST", "/v1/peek", "/v1/peek", { key: "x" }],
    ["POST", "/v1/check-all", "/v1/check-all", { items: [{ key: "y" }, { key: "y", limit: "many" }] }],
    ["POST", "/v1/charge", "/v1/charge", { key: "y", units: 3 }],
    ["POST", "/v1/block", "/v1/block", { key: "y", duration: "1s" }],
    ["POST", "/v1/unblock", "/v1/unblock", { key: "y" }],
    ["POST", "/v1/reset", "/v1/reset", { key: "y" }],
    ["POST", "/v1/status", "/v1/status", { key: "y" }],
    ["GET", "/v1/keys", "/v1/keys?count=1", undefined],
    ["GET", "/v1/history/{key}", "/v1/history/x", undefined],
    ["POST", "/v1/history", "/v1/history", { key: "x", count: 1 }],
    ["GET", "/v1/top", "/v1/top?by=allowed", undefined],
    ["GET", "/v1/explain/{key}", "/v1/explain/x?cost=1&limit=many", undefined],
    ["POST", "/v1/explain", "/v1/explain", { key: "x" }],
    ["GET", "/v1/totals", "/v1/totals", undefined],
    ["POST", "/v1/log/flush", "/v1/log/flush", undefined],
    ["POST", "/v1/log/compact", "/v1/log/compact", undefined],
    ["POST", "/v1/log/verify", "/v1/log/verify", undefined],
    ["GET", "/v1/doctor", "/v1/doctor", undefined],
    ["GET", "/v1/openapi.json", "/v1/openapi.json", undefined],
    ["DELETE", "/v1/limits/{key}", "/v1/limits/many", undefined],
    ["POST", "/v1/remove", "/v1/remove", { key: "many" }],
  ])("describes what %s %s takes and answers: %s %j", async (method, path, url, body) => {
    const at = `document#/paths/${path.replaceAll("/", "~1").replace("{key}", "%7Bkey%7D")}/${method.toLowerCase()}`
    const accepts = (pointer: string, value: unknown) => {
      const validate = ajv.getSchema(`${at}${pointer}`)
      if (validate === undefined) throw new Error(`no schema at ${at}${pointer}`)
      expect({ valid: validate(value), errors: validate.errors }).toEqual({ valid: true, errors: null })
    }
    if (body !== undefined) accepts("/requestBody/content/application~1json/schema", body)
    const { status, json } = await served.ask(method, url, body)
    expect(status).toBe(200)
    accepts("/responses/200/content/application~1json/schema", json)
  })

  const DEFINITION = "document#/paths/~1v1~1limits/post/requestBody/content/application~1json/schema"

  test.each([
    [{}],
    [{ name: "n" }],
    [{ key: "k", name: "n", rate: 5, per: "1s" }],
    [{ rate: 5, per: "1s" }],
    [{ name: "n", rate: 5 }],
    [{ name: "n", limit: 5 }],
    [{ name: "n", rate: 5, period: "1s" }],
    [{ name: "n", limit: 5, per: "1s" }],
    [{ name: "n", rate: 5, per: "1s", limit: 5, period: "1s" }],
    [{ name: "n", rate: 5, per: "1s", policy: "5/second" }],
    [{ name: "n", policy: "5/second", burst: 5 }],
    [{ name: "n", rate: "5/second", block: "1s" }],
    [{ name: "n", rate: "5/second", per: "1s" }],
  ])("describes that POST /v1/limits refuses %j", async (body) => {
    expect(ajv.validate(DEFINITION, body)).toBe(false)
    expect((await served.ask("POST", "/v1/limits", body)).status).toBe(400)
  })

  test.each([
    [{ name: "n", rate: "5/second" }],
    [{ name: "n", limit: 5, period: "1s", block: "1s" }],
    [{ key: "k", policy: ["5/second", { limit: 9, period: "1h" }] }],
  ])("describes that POST /v1/limits takes %j", async (body) => {
    expect(ajv.validate(DEFINITION, body)).toBe(true)
    expect((await served.ask("POST", "/v1/limits", body)).status).toBe(200)
  })

  test("has every status that is answered", async () => {
    const statuses = (path: string, method: string) => Object.keys(document.paths[path][method].responses)
    const everywhere = ["400", "401", "403", "408", "413", "417", "429", "431", "500", "503"]
    expect(statuses("/v1/health", "get")).toEqual(["200", ...everywhere])
    expect(statuses("/v1/health", "head")).toEqual(["200", ...everywhere])
    expect(document.paths["/v1/health"].head.responses[200]).not.toHaveProperty("content")
    expect(statuses("/v1/check", "post")).toEqual(["200", ...everywhere, "415"].sort())
    const { status } = await served.ask("GET", "/v1/limits/%2E")
    expect(statuses("/v1/limits/{key}", "get")).toContain(`${status}`)
  })

  test("says of health that it tells nothing of the store, and what does", () => {
    const { description } = document.paths["/v1/health"].get.responses[200]
    expect(description).toMatch(/store.*\/v1\/doctor.*sluice_commit_failures_total/)
    expect(document.paths).toHaveProperty(["/v1/doctor"])
  })

  test("describes the problems", async () => {
    const validate = ajv.getSchema("document#/components/schemas/Problem")!
    const { json } = await served.ask("POST", "/v1/check", { key: "x", cost: -1 })
    expect(validate(json)).toBe(true)
    expect(validate({ status: 400 })).toBe(false)
  })
})
