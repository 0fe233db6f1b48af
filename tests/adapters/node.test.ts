import { createServer, type RequestListener } from "node:http"
import { rateLimit } from "../../src/adapters/node.js"
import { answerTo, declareAdapterCases, listening } from "./adapter-cases.js"
import { bodyOf } from "./node-body.js"

declareAdapterCases({
  name: "sluice/node",
  start(options) {
    const answer: RequestListener = async (message, response) => {
      try {
        const { status, body } = answerTo(message.url!.split("?")[0]!, await bodyOf(message))
        response.writeHead(status).end(body)
      } catch {
        response.writeHead(500).end()
      }
    }
    const limited = options.reduceRight<RequestListener>((listener, each) => rateLimit(listener, each), answer)
    return listening(createServer(limited))
  },
})
