import { once } from "node:events"
import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { buffer } from "node:stream/consumers"

/**
 * A `fetch` of small answers that waits for as long as its signal lets it: Node's own gives up where none begins within
 * five minutes.
 *
 * @throws {TypeError} as `fetch`, where the answer does not come, or not whole; also where the signal was aborted
 */
export async function patientFetch(url: string, init: RequestInit): Promise<Response> {
  const { method = "GET", headers, signal, body } = init
  const request = url.startsWith("https:") ? requestHttps : requestHttp
  try {
    const sent = request(url, { method, headers: headers as Record<string, string>, ...(signal && { signal }) })
    sent.end(body as string | undefined)
    const [answer] = (await once(sent, "response")) as [IncomingMessage]
    const fields = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
    return new Response(await buffer(answer), { status: answer.statusCode!, headers: fields })
  } catch (error) {
    throw new TypeError("fetch failed", { cause: error })
  }
}
