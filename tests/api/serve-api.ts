import { type Api, type ApiOptions, createApi } from "../../src/api/create-api.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"

export const TOKEN = "a-token-for-the-tests"
const START_MS = Date.parse("2026-11-21T12:00:00Z")

export interface Served {
  readonly api: Api
  readonly clock: ManualClock
  readonly limits: MemoryLimits
  /** Asks with the token; a body that is no text is sent as JSON. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any
  readonly text: string
}

/** An API over limits in memory, whose clock the test moves. */
export function serveApi(limits: Record<string, PolicyInput> = {}, options: Partial<ApiOptions> = {}): Served {
  const clock = new ManualClock(START_MS)
  const served = new MemoryLimits({ clock, limits, stats: true, names: 1_000, history: 20 })
  const api = createApi({ limits: served, token: TOKEN, clock, ...options })
  return {
    api,
    clock,
    limits: served,
    async ask(method, path, body, headers = {}) {
      const request = new Request(`http://sluice.test${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${TOKEN}`,
          ...(body !== undefined && { "Content-Type": "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      })
      return answerOf(await api.fetch(request))
    },
  }
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, headers: response.headers, json, text }
}
