import { createServer } from "node:http"
import express from "express"
import { rateLimit } from "express-rate-limit"
import { SluiceStore } from "../../src/adapters/express-rate-limit.js"
import { answerTo, listening } from "./adapter-cases.js"
import { declareStoreCases } from "./store-cases.js"

declareStoreCases({
  name: "express-rate-limit",
  start({ store, ...options }) {
    const app = express()
    app.use(
      rateLimit({
        ...options,
        keyGenerator: (request) => request.get("x-user")!,
        standardHeaders: "draft-6",
        store: new SluiceStore(store),
      }),
    )
    app.use((request, response) => {
      const { status, body } = answerTo(request.path, "")
      response.status(status).send(body)
    })
    return listening(createServer(app))
  },
})
