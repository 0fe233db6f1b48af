import { hold } from "../limiter/hold.js"
import { checkFields, having, type Kinds, oneOf, TEXT, whole } from "../policy/check-fields.js"
import type { DecisionEvent } from "../types/decision-event.js"

interface EventJson extends Omit<DecisionEvent, "atMs" | "retryAfterMs"> {
  readonly at: string
  readonly retry_after_ms: number
}

export interface EventOptions {
  readonly outcome?: "allowed" | "denied"
  /** Only those of this limit. */
  readonly limit?: string
  /** How many past decisions to begin with, 0 … 10,000; default 0. */
  readonly replay?: number
  /** Ends the stream. */
  readonly signal?: AbortSignal
}

type Open = (path: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<Response>

const OPTION_KINDS: Kinds<EventOptions> = {
  outcome: oneOf("allowed", "denied"),
  limit: TEXT,
  replay: whole(0, 10_000),
  signal: having("addEventListener"),
}
/** How long it waits where no server has said. */
const RETRY_MS = 1_000
/** A server may ask for more, up to this. */
const MOST_RETRY_MS = 60_000

/**
 * Reads server-sent events (HTML Living Standard, section 9.2) and resumes a connection that broke.
 *
 * @throws {RangeError} where an option cannot be; what `open` throws at the first time; later ones are tried again
 */
export async function* readEvents(open: Open, options: EventOptions): AsyncGenerator<DecisionEvent> {
  checkFields("read events", options, OPTION_KINDS)
  const { outcome, limit, replay, signal } = options
  const query = new URLSearchParams()
  if (outcome !== undefined) query.set("outcome", outcome)
  if (limit !== undefined) query.set("limit", limit)
  if (replay !== undefined) query.set("replay", String(replay))
  let lastId = ""
  let retryMs = RETRY_MS
  for (let attempt = 0; !signal?.aborted; attempt++) {
    try {
      const headers = { Accept: "text/event-stream", ...(lastId !== "" && { "Last-Event-ID": lastId }) }
      const response = await open(`/v1/events?${query}`, headers, signal)
      for await (const { id, data, retry } of messages(response.body!)) {
        lastId = id
        if (retry !== undefined && /^\d{1,9}$/.test(retry)) retryMs = Math.min(Number(retry), MOST_RETRY_MS)
        if (data !== undefined) yield readEvent(JSON.parse(data))
      }
    } catch (error) {
      if (signal?.aborted) return
      if (attempt === 0 && lastId === "") throw error
    }
    const waitMs = retryMs
    // To come back at once is asked for once.
    retryMs = Math.max(retryMs, RETRY_MS)
    await hold(waitMs, signal)
  }
}

function readEvent({ at, retry_after_ms, ...event }: EventJson): DecisionEvent {
  return { ...event, atMs: Date.parse(at), retryAfterMs: retry_after_ms }
}

interface Message {
  readonly id: string
  readonly data: string | undefined
  readonly retry: string | undefined
}

/** The blocks that have an id. One without data only tells where the stream is. */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const decoder = new TextDecoder()
  let text = ""
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n")
      text = text.slice(end + 2)
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const id = field("id")
      if (id !== undefined) yield { id, data: field("data"), retry: field("retry") }
    }
  }
}
