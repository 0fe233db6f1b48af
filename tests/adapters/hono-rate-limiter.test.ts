import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { rateLimiter } from "hono-rate-limiter"
import { SluiceStore } from "../../src/adapters/hono-rate-limiter.js"
import { answerTo } from "./adapter-cases.js"
import { serving } from "./serving.js"
import { declareStoreCases } from "./store-cases.js"

declareStoreCases({
  name: "hono-rate-limiter",
  start({ store, ...options }) {
    const app = new Hono()
    const keyGenerator = (context: { req: { header(name: string): string | undefined } }) =>
      context.req.header("x-user")!
    app.use(rateLimiter({ ...options, keyGenerator, standardHeaders: "draft-6", store: new SluiceStore(store) }))
    app.all("*", (context) => {
      const { status, body } = answerTo(context.req.path, "")
      return context.body(body, status as 200)
    })
    return serving((listen) => serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, listen))
  },
})
