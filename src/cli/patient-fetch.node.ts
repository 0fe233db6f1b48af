import { once } from "node:events"
import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { Readable } from "node:stream"

/** Statuses of answers that have no body, for which `Response` takes none. */
const BODILESS: readonly unknown[] = [204, 205, 304]

/**
 * A `fetch` that waits for as long as its signal lets it: Node's own gives up where no answer begins within five
 * minutes.
 *
 * @throws {TypeError} as `fetch`, where the answer does not come; also where the signal was aborted. The same where the
 * body is read and does not come whole
 */
export async function patientFetch(url: string, init: RequestInit): Promise<Response> {
  const { method = "GET", headers, signal, body } = init
  const request = url.startsWith("https:") ? requestHttps : requestHttp
  const sent = request(url, { method, headers: headers as Record<string, string>, ...(signal && { signal }) })
  try {
    sent.end(body as string | undefined)
    const [answer] = (await once(sent, "response")) as [IncomingMessage]
    return responseOf(answer)
  } catch (error) {
    // What was answered may be no answer that there is: nobody reads it.
    sent.destroy()
    throw new TypeError("fetch failed", { cause: error })
  }
}

function responseOf(answer: IncomingMessage): Response {
  const { statusCode } = answer
  const headers = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
  const init = { status: statusCode!, headers }
  if (BODILESS.includes(statusCode)) {
    answer.resume()
    return new Response(null, init)
  }
  // Node's types do not know it for the same class.
  const body = Readable.toWeb(Readable.from(bodyOf(answer))) as unknown as ReadableStream<Uint8Array>
  return new Response(body, init)
}

/** @throws {TypeError} as the body of a `fetch`, where it breaks off */
async function* bodyOf(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* answer
  } catch (error) {
    throw new TypeError("terminated", { cause: error })
  }
}
