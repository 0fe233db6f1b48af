import type { NodeRequest } from "./node-request.node.js"

/**
 * What was asked on one connection, answered one after the other (RFC 9112, section 9.3.2): what is asked may change what
 * is asked next.
 */
export class RequestLine {
  readonly #answer: (request: NodeRequest, line: RequestLine) => Promise<void>
  readonly #waiting: NodeRequest[] = []
  #isAnswering = false
  /** Whether nothing more is answered on the connection. */
  isRefused = false

  /** @param answer answers a request, and tells `next` when it has */
  constructor(answer: (request: NodeRequest, line: RequestLine) => Promise<void>) {
    this.#answer = answer
  }

  take(request: NodeRequest): void {
    if (this.#isAnswering) {
      this.#waiting.push(request)
      return
    }
    this.#isAnswering = true
    void this.#answer(request, this)
  }

  next(): void {
    const request = this.#waiting.shift()
    if (request === undefined) this.#isAnswering = false
    else void this.#answer(request, this)
  }
}
