// proxy.ts of a Next app (middleware.ts, with the name middleware, before Next 16).
import { rateLimit } from "sluice/next"

export const proxy = rateLimit({ policy: "3/minute", address: { header: "X-Real-IP" } })
export const config = { matcher: "/api/:path*" }
