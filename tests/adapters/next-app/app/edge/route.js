import { rateLimitRoute } from "sluice/next"

export const runtime = "edge"
export const GET = rateLimitRoute(() => new Response(typeof EdgeRuntime), { policy: "2/day", key: () => "everybody" })
