// Ten requests a day for each client, kept in a folder: kill it with `kill -9` and start it again, it goes on exactly.
// node examples/embedded/limiter.mjs [FOLDER]; deno run -A and bun run it too
import { openLimiter } from "sluice/embedded"

await using limiter = await openLimiter({ path: process.argv[2] ?? "limits", policy: "10/day" })
for (;;) {
  const { allowed, remaining, retryAfterMs } = await limiter.check("client")
  console.log(allowed ? `admitted, ${remaining} left` : `denied, again in ${retryAfterMs} ms`)
  if (!allowed) break
  await new Promise((resolve) => setTimeout(resolve, 200))
}
