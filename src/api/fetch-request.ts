import type { ApiRequest } from "./api-request.js"
import { RequestError } from "./request-error.js"

/** Reads a Web-standard request. */
export function readRequest(request: Request, address: string | null): ApiRequest {
  const url = new URL(request.url)
  return {
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    host: url.hostname,
    address,
    // A `Request` that was made and not received has no Host field of its own.
    header: (name) => (name === "host" ? (request.headers.get(name) ?? url.host) : request.headers.get(name)),
    body: (maxBytes) => readBody(request, maxBytes),
    signal: request.signal,
  }
}

async function readBody(request: Request, maxBytes: number): Promise<string> {
  if (request.body === null) return ""
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge(maxBytes)
  // Refuses what is no UTF-8: replaced, two keys could become one.
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  let text = ""
  let bytes = 0
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw tooLarge(maxBytes)
    text += decode(() => decoder.decode(chunk, { stream: true }))
  }
  return text + decode(() => decoder.decode())
}

function decode(read: () => string): string {
  try {
    return read()
  } catch {
    throw new RequestError(400, "Cannot read the request: the body is no UTF-8.")
  }
}

export function tooLarge(maxBytes: number): RequestError {
  return new RequestError(413, `Cannot read the request: its body is longer than ${maxBytes} bytes.`)
}
