import { sleep } from "../lib/sleep.js"
import { untilAborted } from "../lib/until-aborted.js"
import { flag, having, type Kinds, oneOf, requireFields, TEXT, whole } from "../policy/require-fields.js"
import type { EventJson } from "../types/api-json.js"
import type { DecisionEvent } from "../types/decision-event.js"
import { StoreUnavailable } from "../types/errors.js"
import { ApiError } from "./api-error.js"
import { chunks } from "./chunks.js"
import { complete, text } from "./complete.js"

export interface EventOptions {
  readonly outcome?: "allowed" | "denied" | undefined
  /** Only those of this limit. */
  readonly limit?: string | undefined
  /** How many past decisions to begin with, 0 … 10,000; default 0. */
  readonly replay?: number | undefined
  /**
   * Whether it goes on with the decisions to come, and resumes a connection that broke; default `true`. Otherwise it
   * ends when the past ones are told, and fails where they cannot be.
   */
  readonly follow?: boolean | undefined
  /** Ends the stream. */
  readonly signal?: AbortSignal | undefined
}

type Open = (path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Response>
type Foreign = (what: string) => Error

const OPTION_KINDS: Kinds<EventOptions> = {
  outcome: oneOf("allowed", "denied"),
  limit: TEXT,
  replay: whole(0, 10_000),
  follow: flag(),
  signal: having("addEventListener"),
}
/** How long it waits where no server has said. */
const RETRY_MS = 1_000
/** A server may ask for more, up to this. */
const MAX_RETRY_MS = 60_000
/** A server sends a line at least every 15 seconds: one that is silent for so long is gone, or the way to it is. */
const MAX_SILENT_MS = 45_000
/** The longest event that is read, in UTF-16 code units; the longest rightful one is below a quarter of it. */
const MAX_EVENT_LENGTH = 65_536

/**
 * Reads server-sent events (HTML Living Standard, section 9.2) and resumes a connection that broke or went silent.
 *
 * @throws {RangeError} where an option cannot be; what `open` throws at the first time; {ApiError} where the server
 * answers 401 or 403 later. All else that goes wrong later is tried again. Where only the past is asked for, every
 * failure: {StoreUnavailable} where the stream ends before it is told
 */
export async function* readEvents(open: Open, foreign: Foreign, options: EventOptions): AsyncGenerator<DecisionEvent> {
  requireFields("read events", options, OPTION_KINDS)
  const { outcome, limit, replay, follow = true, signal } = options
  const query = new URLSearchParams()
  if (outcome !== undefined) query.set("outcome", outcome)
  if (limit !== undefined) query.set("limit", limit)
  if (replay !== undefined) query.set("replay", String(replay))
  let lastId = ""
  let retryMs = RETRY_MS
  for (let attempt = 0; !signal?.aborted; attempt++) {
    let askedMs = 0
    try {
      const headers = { Accept: "text/event-stream", ...(lastId !== "" && { "Last-Event-ID": lastId }) }
      const silence = new AbortController()
      const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal])
      const hear = <T>(sign: Promise<T>) => heard(sign, silence, either)
      const response = await hear(open(`/v1/events?${query}`, headers, either))
      for await (const { id = lastId, event, data, retry } of messages(chunks(response.body!, hear))) {
        lastId = id
        if (event === "live" && !follow) return
        if (retry !== undefined && /^\d{1,9}$/.test(retry)) retryMs = Math.min(Number(retry), MAX_RETRY_MS)
        if (data !== undefined) yield readEvent(data, foreign)
      }
      // To come back at once is asked for where there is more of the past.
      if (!follow && retryMs > 0) throw new StoreUnavailable("the stream of events ended before the past was told")
    } catch (error) {
      if (signal?.aborted) return
      // What a broken connection is to fetch.
      if (!follow && error instanceof TypeError)
        throw new StoreUnavailable("the stream of events broke", { cause: error })
      if (!follow || (attempt === 0 && lastId === "") || isRefusal(error)) throw error
      if (error instanceof ApiError) askedMs = Math.min(error.retryAfterMs ?? 0, MAX_RETRY_MS)
    }
    const waitMs = Math.max(retryMs, askedMs)
    // To come back at once is asked for once.
    retryMs = Math.max(retryMs, RETRY_MS)
    await sleep(waitMs, signal)
  }
}

/** Whether asking again is for nothing: a token that is wrong stays so, and each time counts as another wrong one. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403)
}

/**
 * Waits for the server's next sign of life. Where it gives none, the connection is given up. Only waiting for it counts
 * as silence, not what is done with it meanwhile.
 *
 * @param signal is aborted with `silence`, and where the caller ends the stream
 */
async function heard<T>(sign: Promise<T>, silence: AbortController, signal: AbortSignal): Promise<T> {
  const giveUp = () => silence.abort(new StoreUnavailable(`the server was silent for ${MAX_SILENT_MS} ms`))
  const timer = setTimeout(giveUp, MAX_SILENT_MS)
  try {
    return await untilAborted(sign, signal)
  } finally {
    clearTimeout(timer)
  }
}

/** @param foreign makes the error of what is no event of sluice's */
function readEvent(data: string, foreign: Foreign): DecisionEvent {
  try {
    const { at, retry_after_ms, ...event } = JSON.parse(data) as EventJson
    const read = {
      ...event,
      key: text(event.key),
      limit: text(event.limit),
      atMs: Date.parse(at),
      retryAfterMs: retry_after_ms,
    }
    return complete(read, ["cost", "remaining", "retryAfterMs"])
  } catch {
    throw foreign("an event of another shape")
  }
}

interface Message {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string | undefined
  readonly retry: string | undefined
}

/**
 * The blocks that have an id or a name. One without data only tells where the stream is.
 *
 * @throws {StoreUnavailable} where one goes on beyond any length that an event has
 */
async function* messages(body: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  const decoder = new TextDecoder()
  let lines: string[] = []
  /** What has come of the line after them. */
  let line = ""
  let length = 0
  for await (const chunk of body) {
    for (const [index, part] of decoder.decode(chunk, { stream: true }).split("\n").entries()) {
      if (index > 0) {
        if (line !== "") lines.push(line)
        else {
          const message = readMessage(lines)
          lines = []
          length = 0
          if ((message.id ?? message.event) !== undefined) yield message
        }
        line = ""
      }
      line += part
      length += part.length + 1
      if (length > MAX_EVENT_LENGTH) {
        throw new StoreUnavailable(
          `the server sent more than ${MAX_EVENT_LENGTH} characters without the end of an event`,
        )
      }
    }
  }
}

function readMessage(lines: readonly string[]): Message {
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  return { id: field("id"), event: field("event"), data: field("data"), retry: field("retry") }
}
