import { isUtf8 } from "node:buffer"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { parseUrl } from "../lib/parse-url.js"
import type { ApiRequest } from "./api-request.js"
import { tooLarge } from "./fetch-request.js"
import { RequestError } from "./request-error.js"

/** How IPv6 writes an address of IPv4. */
const MAPPED = "::ffff:"

/** Node's request, as the API reads one. */
export class NodeRequest implements ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly #streams: Set<AbortController>
  #failure: RequestError | null = null
  #tellFailure: (failure: RequestError) => void = () => {}

  /** @param streams where the signal of each answer that streams is to be found while it does */
  constructor(incoming: IncomingMessage, response: ServerResponse, streams: Set<AbortController>) {
    this.incoming = incoming
    this.response = response
    this.#streams = streams
    this.method = incoming.method ?? ""
    let target = incoming.url ?? ""
    // The absolute form, as a proxy sends it.
    if (!target.startsWith("/")) {
      const url = parseUrl(target)
      target = url === null ? "" : url.pathname + url.search
    }
    const mark = target.indexOf("?")
    this.path = mark < 0 ? target : target.slice(0, mark)
    this.query = mark < 0 ? "" : target.slice(mark + 1)
  }

  get socket(): Socket {
    return this.incoming.socket
  }

  get host(): string | null {
    const host = this.incoming.headers.host
    return host === undefined ? null : host.replace(/:\d*$/, "").toLowerCase()
  }

  get address(): string | null {
    const address = this.incoming.socket.remoteAddress
    if (address === undefined) return null
    return address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address
  }

  get hasBody(): boolean {
    const { headers } = this.incoming
    return headers["transfer-encoding"] !== undefined || Number(headers["content-length"]) > 0
  }

  /** Made where it is asked for: only streams need it. */
  get signal(): AbortSignal {
    const controller = new AbortController()
    this.#streams.add(controller)
    this.response.once("close", () => {
      this.#streams.delete(controller)
      controller.abort()
    })
    return controller.signal
  }

  header(name: string): string | null {
    const value = this.incoming.headers[name]
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value
  }

  /** Ends the reading of a body that cannot be read on. */
  failBody(failure: RequestError): void {
    this.#failure = failure
    this.#tellFailure(failure)
  }

  body(maxBytes: number): string | Promise<string> {
    const { incoming } = this
    if (Number(incoming.headers["content-length"]) > maxBytes) throw tooLarge(maxBytes)
    // What came together with its head, as a short body does, is read without the events of a stream.
    if (!incoming.complete) return this.#bodyToCome(maxBytes)
    const whole: Buffer | null = incoming.read()
    if (whole === null) return ""
    if (whole.length > maxBytes) throw tooLarge(maxBytes)
    return textOf(whole)
  }

  #bodyToCome(maxBytes: number): Promise<string> {
    const { incoming } = this
    if (this.#failure !== null) throw this.#failure
    if (incoming.closed) throw endedEarly()
    return new Promise((resolve, reject) => {
      this.#tellFailure = reject
      const chunks: Buffer[] = []
      let bytes = 0
      const onData = (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxBytes) {
          incoming.off("data", onData).resume()
          reject(tooLarge(maxBytes))
          return
        }
        chunks.push(chunk)
      }
      incoming.on("data", onData)
      incoming.once("end", () => {
        try {
          resolve(textOf(Buffer.concat(chunks)))
        } catch (error) {
          reject(error)
        }
      })
      // Who breaks off is told so, if anybody; only what is said of the request itself says more.
      incoming.once("error", (error) => reject(error instanceof RequestError ? error : endedEarly()))
      // Not made where nobody hears it: an error costs a stack trace.
      incoming.once("close", () => {
        if (!incoming.complete) reject(endedEarly())
      })
    })
  }
}

function endedEarly(): RequestError {
  return new RequestError(400, "Cannot read the request: its body ended early.")
}

/** @throws {RequestError} where it is no UTF-8: replaced, two keys could become one */
function textOf(body: Buffer): string {
  if (isUtf8(body)) return body.toString("utf8")
  throw new RequestError(400, "Cannot read the request: the body is no UTF-8.")
}
