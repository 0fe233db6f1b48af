import { createServer } from "node:http"
import connect from "connect"
import express from "express"
import fastify from "fastify"
import { rateLimit as expressLimit } from "../../src/adapters/express.js"
import { rateLimit as fastifyLimit } from "../../src/adapters/fastify.js"
import { rateLimit as nodeLimit } from "../../src/adapters/node.js"
import { listening, type RunningServer, type SuiteOptions } from "./adapter-cases.js"

/** Servers that answer every path with 200, behind one limit. */
export const NODE_SERVERS: Record<string, (options: SuiteOptions) => Promise<RunningServer>> = {
  "sluice/node": (options) => listening(createServer(nodeLimit((_request, response) => response.end(), options))),
  "sluice/express in Express": (options) => {
    const app = express()
    app.use(expressLimit(options))
    app.use((_request, response) => void response.send("hello"))
    return listening(createServer(app))
  },
  "sluice/express in Connect": (options) => {
    const app = connect()
    app.use(expressLimit(options))
    app.use((_request, response) => response.end())
    return listening(createServer(app))
  },
  "sluice/fastify": async (options) => {
    const app = fastify()
    await app.register(fastifyLimit(options))
    app.all("/*", async () => "hello")
    return { url: await app.listen({ port: 0, host: "127.0.0.1" }), close: () => app.close() }
  },
}
