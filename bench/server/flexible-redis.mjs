// rate-limiter-flexible on Redis behind the same kind of server: JSON in, JSON out, a token asked for. Prints its port.
import { createHash, timingSafeEqual } from "node:crypto"
import { createServer } from "node:http"
import { Redis } from "ioredis"
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible"

const [redisPort, token, points] = process.argv.slice(2)
const digest = (text) => createHash("sha256").update(text).digest()
const expected = digest(`Bearer ${token}`)
const storeClient = new Redis({ port: Number(redisPort), host: "127.0.0.1", enableAutoPipelining: true })
const limiter = new RateLimiterRedis({ storeClient, points: Number(points), duration: 3600 })

async function decide(key) {
  try {
    return { allowed: true, result: await limiter.consume(key) }
  } catch (result) {
    if (result instanceof RateLimiterRes) return { allowed: false, result }
    throw result
  }
}

createServer((request, response) => {
  if (!timingSafeEqual(digest(request.headers.authorization ?? ""), expected)) return response.writeHead(401).end()
  const chunks = []
  request.on("data", (chunk) => chunks.push(chunk))
  request.on("end", async () => {
    const { key } = JSON.parse(Buffer.concat(chunks).toString())
    const { allowed, result } = await decide(key)
    const body = JSON.stringify({
      key,
      allowed,
      remaining: result.remainingPoints,
      retry_after_ms: allowed ? 0 : result.msBeforeNext,
      reset_at: new Date(Date.now() + result.msBeforeNext).toISOString(),
    })
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) })
    response.end(body)
  })
}).listen(0, "127.0.0.1", function () {
  console.log(this.address().port)
})
