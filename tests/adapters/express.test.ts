import { createServer } from "node:http"
import connect from "connect"
import express from "express"
import { describe, expect, test } from "vitest"
import { rateLimit } from "../../src/adapters/express.js"
import { answerTo, declareAdapterCases, listening } from "./adapter-cases.js"
import { bodyOf } from "./node-body.js"

declareAdapterCases({
  name: "sluice/express in Express",
  hearsOfClients: true,
  start(options) {
    const app = express()
    for (const each of options) app.use(rateLimit(each))
    app.use(express.text())
    app.use((request, response) => {
      const { status, body } = answerTo(request.path, request.body ?? "")
      response.status(status).send(body)
    })
    app.use((_error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
      response.status(500).end()
    })
    return listening(createServer(app))
  },
})

declareAdapterCases({
  name: "sluice/express in Connect",
  hearsOfClients: true,
  start(options) {
    const app = connect()
    for (const each of options) app.use(rateLimit(each))
    app.use(async (message, response, next) => {
      try {
        const { status, body } = answerTo(message.url!.split("?")[0]!, await bodyOf(message))
        response.statusCode = status
        response.end(body)
      } catch (error) {
        next(error)
      }
    })
    app.use((_error: unknown, _message: unknown, response: import("node:http").ServerResponse, _next: unknown) => {
      response.statusCode = 500
      response.end()
    })
    return listening(createServer(app))
  },
})

describe("rateLimit() of sluice/express", () => {
  test("sees Express' request, its path from the root, and the address that trust proxy says", async () => {
    const seen: unknown[] = []
    const app = express()
    app.set("trust proxy", 1)
    const router = express.Router()
    router.use(
      rateLimit({
        policy: (web, request) => {
          seen.push([new URL(web.url).pathname, request.path, request.ip])
          return "9/minute"
        },
        onDecision: ({ key }) => void seen.push(key),
      }),
    )
    router.get("/a", (_request, response) => void response.send("a"))
    app.use("/inner", router)
    const { url, close } = await listening(createServer(app))
    const headers = { "x-forwarded-for": "192.0.2.7", connection: "close" }
    expect((await fetch(`${url}/inner/a`, { headers })).status).toBe(200)
    expect(seen).toEqual([["/inner/a", "/a", "192.0.2.7"], "ip:192.0.2.7"])
    await close()
  })
})
