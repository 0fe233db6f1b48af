import { DurableObject } from "cloudflare:workers"
import { eventsAnswer, readEventQuery } from "../../src/api/routes/events.js"
import { EventStream } from "../../src/metrics/event-stream.js"
import type { Decision } from "../../src/types/decision.js"

/** A decision on its way to the hub. */
export interface ToldDecision {
  readonly decision: Decision
  readonly limit: string
  readonly atMs: number
}

/** Where the decisions of all isolates meet for those who listen: the last ones in memory, nothing on disk. */
export class EventHubObject extends DurableObject {
  readonly #stream = new EventStream()

  push(told: readonly ToldDecision[]): void {
    for (const { decision, limit, atMs } of told) this.#stream.push(decision, limit, atMs)
  }

  /** The server-sent events of the API; whoever asks was let in already. */
  override async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const query = readEventQuery(Object.fromEntries(searchParams))
    const lastEventId = request.headers.get("last-event-id")
    const { status, headers, body } = eventsAnswer(this.#stream, query, lastEventId, Date.now(), request.signal)
    return new Response(body as ReadableStream, { status, headers })
  }
}
