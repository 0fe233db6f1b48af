import type { EdgeLimiter } from "sluice/worker"

/**
 * Endpoints for whoever runs the Worker, for one key of one limit:
 *
 *   GET  /admin/LIMIT/KEY                what is left, and whether it is blocked
 *   POST /admin/LIMIT/KEY/block?for=10m  denies the key
 *   POST /admin/LIMIT/KEY/unblock, /admin/LIMIT/KEY/reset
 */
export async function admin(
  request: Request,
  token: string | undefined,
  limiterOf: (name: string) => EdgeLimiter | undefined,
): Promise<Response> {
  if (!token || !(await isSame(request.headers.get("Authorization") ?? "", `Bearer ${token}`))) {
    return new Response("not allowed", { status: 401 })
  }
  const { pathname, searchParams } = new URL(request.url)
  const [, , name, key, verb = "status"] = pathname.split("/").map(decodeURIComponent)
  const limiter = name === undefined ? undefined : limiterOf(name)
  if (!limiter || !key) return new Response("no such limit", { status: 404 })

  const call = `${request.method} ${verb}`
  try {
    if (call === "GET status") return Response.json(await limiter.status(key))
    if (call === "POST block") await limiter.block(key, searchParams.get("for") ?? "1h")
    else if (call === "POST unblock") await limiter.unblock(key)
    else if (call === "POST reset") await limiter.reset(key)
    else return new Response("no such verb", { status: 404 })
  } catch (error) {
    if (error instanceof RangeError) return new Response(error.message, { status: 400 })
    throw error
  }
  return Response.json(await limiter.status(key))
}

/** Compares digests, so that the time it takes tells nothing of the token. */
async function isSame(one: string, other: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  const [first, second] = (await Promise.all([digest(one), digest(other)])).map((bytes) => new Uint8Array(bytes))
  return first!.reduce((differs, byte, index) => differs | (byte ^ second![index]!), 0) === 0
}
