// export default router is a Worker; serve(router) of @hono/node-server a server on Node.
import { Router, text } from "itty-router"
import { rateLimit } from "sluice/itty-router"

const limit = rateLimit({ policy: "3/minute" })

export const router = Router({ before: [limit.before], finally: [text, limit.finally] })
router.get("/", () => "hello")
