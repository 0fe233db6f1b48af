// src/hooks.server.ts of a SvelteKit app.
import { rateLimit } from "sluice/sveltekit"

export const handle = rateLimit({ policy: "3/minute" })
