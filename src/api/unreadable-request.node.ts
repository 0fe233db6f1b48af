import type { Socket } from "node:net"
import { problemAnswer } from "./problem-answer.js"
import { reasonPhrase } from "./reason-phrase.node.js"
import { RequestError } from "./request-error.js"

/** The most bytes of a request's first line and header fields together; of the fields after a body, too. */
export const MAX_HEAD_BYTES = 16_384

/** Something that was sent in place of a request, in its turn among those of its connection. */
export class UnreadableRequest {
  readonly socket: Socket
  readonly error: RequestError

  constructor(socket: Socket, error: RequestError) {
    this.socket = socket
    this.error = error
  }

  /** The whole answer, after which the connection is of no use: where the next request would begin is not known. */
  answer(): string {
    const { status, headers, body } = problemAnswer(this.error)
    const fields = {
      ...headers,
      "Content-Length": Buffer.byteLength(body as string),
      Date: new Date().toUTCString(),
      Connection: "close",
    }
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    return `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${lines.join("")}\r\n${body}`
  }
}

/** Of a version of HTTP that is not spoken: Node's parser passes some of them, and fails on others. */
export function versionRefused(): RequestError {
  return new RequestError(400, "Cannot read the request: its version is not allowed, allowed is HTTP/1.1 and HTTP/1.0.")
}

/** What an error of Node's parser, or of its watch over how long a request takes, says to a client. */
export function parserProblem({ code }: NodeJS.ErrnoException): RequestError {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new RequestError(408, "Cannot read the request: it did not arrive in time.")
    case "HPE_HEADER_OVERFLOW":
      return new RequestError(
        431,
        `Cannot read the request: its first line and header fields are longer than ${MAX_HEAD_BYTES} bytes.`,
      )
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new RequestError(413, "Cannot read the request: the extensions of its chunks are too long.")
    case "HPE_INVALID_VERSION":
      return versionRefused()
    case "HPE_INVALID_EOF_STATE":
      return new RequestError(400, "Cannot read the request: it ended early.")
    default:
      return new RequestError(400, "Cannot read the request: it is malformed.")
  }
}
