// On any runtime of Hono: with Node, serve(app) of @hono/node-server; with Deno, Bun and Workers, export default app.
import { Hono } from "hono"
import { rateLimit } from "sluice/hono"

export const app = new Hono()
app.use(rateLimit({ policy: "3/minute" }))
app.get("/", (context) => context.text("hello"))
