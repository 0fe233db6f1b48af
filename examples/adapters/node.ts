// createServer(listener).listen(3000) serves it.
import { rateLimit } from "sluice/node"

export const listener = rateLimit((_request, response) => response.end("hello"), { policy: "3/minute" })
