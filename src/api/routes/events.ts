import type { EventStream, IsWanted } from "../../metrics/event-stream.js"
import type { DecisionEvent } from "../../types/decision-event.js"
import { eventJson } from "../answers.js"
import type { ApiAnswer } from "../api-request.js"
import { limitName } from "../fields.js"
import { defineRoute } from "../route.js"
import { digits, object, oneOf, optional, type Read, text } from "../schema.js"

/** A line of comment this often keeps proxies from closing a silent stream. */
const HEARTBEAT_MS = 15_000
/** A reader that is further behind is let go; it comes back and resumes where it was. */
const MAX_QUEUED = 1_000

const encoder = new TextEncoder()

interface Filter {
  readonly outcome?: "allowed" | "denied"
  readonly limit?: string
}

const query = object({
  outcome: optional(oneOf(["allowed", "denied"])),
  limit: optional(limitName),
  replay: optional(digits({ description: "How many past decisions to begin with.", minimum: 0, maximum: 10_000 })),
})

type EventQuery = Read<typeof query>

/** @throws {RequestError} where a field cannot be */
export function readEventQuery(fields: Readonly<Record<string, string>>): EventQuery {
  return query.read(fields, "the query")
}

export const events = defineRoute({
  method: "GET",
  path: "/v1/events",
  id: "getEvents",
  summary: "Decisions as server-sent events, as they are made. `Last-Event-ID` resumes after a break.",
  query,
  answer: { contentType: "text/event-stream", schema: text(), description: "Events named `decision`, JSON in `data`." },
  async handle({ events: eventStream, clock, eventSource }, { query: asked, request }) {
    if (eventSource !== null) {
      const { status, headers, body } = await eventSource(request)
      return { status, headers: Object.fromEntries(headers), body }
    }
    return eventsAnswer(eventStream, asked, request.header("last-event-id"), clock.now(), request.signal)
  },
})

/** The stream to one reader. */
export function eventsAnswer(
  eventStream: EventStream,
  { replay = 0, ...filter }: EventQuery,
  lastEventId: string | null,
  nowMs: number,
  signal: AbortSignal | undefined,
): ApiAnswer {
  const isWanted = passing(filter)
  return {
    status: 200,
    headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" },
    body: stream(eventStream, pastEvents(eventStream, nowMs, lastEventId, replay, isWanted), isWanted, signal),
  }
}

/** What a reader begins with: what it missed, or as many as it asks for of the last that it wants. */
function pastEvents(
  eventStream: EventStream,
  nowMs: number,
  lastEventId: string | null,
  replay: number,
  isWanted: IsWanted,
): DecisionEvent[] {
  if (lastEventId === null || lastEventId === "") return eventStream.since(0, nowMs, replay, isWanted)
  const [, epoch, id] = /^([a-z0-9]+)-(\d{1,15})$/.exec(lastEventId) ?? []
  // An id of an earlier run, or of none: all that is kept came after it.
  return eventStream.since(epoch === eventStream.epoch ? Number(id) : 0, nowMs, undefined, isWanted)
}

function passing({ limit, outcome }: Filter): IsWanted {
  return (event) =>
    (limit === undefined || event.limit === limit) &&
    (outcome === undefined || event.allowed === (outcome === "allowed"))
}

/** @param past of those that are wanted, for a reader who was told none could not ask for the next */
function stream(
  eventStream: EventStream,
  past: readonly DecisionEvent[],
  isWanted: IsWanted,
  signal: AbortSignal | undefined,
) {
  let stop = () => {}
  let ended = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const send = (event: DecisionEvent) => {
          if (ended || !isWanted(event)) return
          if ((controller.desiredSize ?? 0) < -MAX_QUEUED) return end()
          const data = JSON.stringify(eventJson(event))
          controller.enqueue(encoder.encode(`id: ${eventStream.epoch}-${event.id}\nevent: decision\ndata: ${data}\n\n`))
        }
        const end = () => {
          if (ended) return
          ended = true
          stop()
          controller.close()
        }
        // Said at once, so that a reader knows that it listens before there is anything to hear, and resumes here where
        // it heard nothing.
        const before = past.length > 0 ? past[0]!.id - 1 : eventStream.lastId
        controller.enqueue(encoder.encode(`retry: 1000\nid: ${eventStream.epoch}-${before}\n: listening\n\n`))
        const heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) >= -MAX_QUEUED) controller.enqueue(encoder.encode(": alive\n\n"))
        }, HEARTBEAT_MS)
        const unlisten = eventStream.listen(send)
        stop = () => {
          clearInterval(heartbeat)
          unlisten()
          stop = () => {}
        }
        if (signal?.aborted) return end()
        signal?.addEventListener("abort", end, { once: true })
        // As many as a reader may lag behind; it asks again at once from there for the rest.
        for (const event of past.slice(0, MAX_QUEUED)) send(event)
        if (past.length <= MAX_QUEUED) {
          // For whoever wants the past alone. Without data it is no event to a browser.
          controller.enqueue(encoder.encode("event: live\n\n"))
          return
        }
        controller.enqueue(encoder.encode(`retry: 0\nid: ${eventStream.epoch}-${past[MAX_QUEUED - 1]!.id}\n: more\n\n`))
        end()
      },
      cancel() {
        ended = true
        stop()
      },
    },
    { highWaterMark: 1 },
  )
}
