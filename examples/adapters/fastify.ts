// app.listen({ port: 3000 }) serves it.
import fastify from "fastify"
import { rateLimit } from "sluice/fastify"

export const app = fastify()
app.register(rateLimit({ policy: "3/minute" }))
app.get("/", async () => "hello")
