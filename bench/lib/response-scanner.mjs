const HEAD_END = "\r\n\r\n"
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)\r\n/i
// "HTTP/1.1 200": where the three digits of the status start and end.
const STATUS_START = 9
const STATUS_END = 12

/**
 * Finds the end of each response on a connection that has one request in flight at a time. It reads the status and
 * Content-Length and looks at nothing else, which is all that a server under test here can send.
 */
export class ResponseScanner {
  #text = ""

  /**
   * Takes what arrived.
   *
   * @param {Buffer} chunk
   * @param {number} length how many bytes of it arrived
   * @returns {number} the status of the response that these bytes complete, 0 where more must come
   * @throws {Error} on bytes after the response, on a response without Content-Length, on what is not HTTP
   */
  take(chunk, length) {
    // latin1: one character per byte, so that text lengths are byte lengths.
    const arrived = chunk.latin1Slice(0, length)
    const text = this.#text === "" ? arrived : this.#text + arrived
    const headEnd = text.indexOf(HEAD_END)
    if (headEnd < 0) return this.#wait(text)

    const contentLength = CONTENT_LENGTH.exec(text)
    if (contentLength === null || contentLength.index >= headEnd) {
      throw new Error(`Cannot read a response without Content-Length: ${JSON.stringify(text.slice(0, headEnd))}.`)
    }
    const end = headEnd + HEAD_END.length + Number(contentLength[1])
    if (text.length < end) return this.#wait(text)
    if (text.length > end) throw new Error("Cannot read a response: bytes follow that nobody asked for.")

    this.#text = ""
    const status = Number(text.slice(STATUS_START, STATUS_END))
    if (!text.startsWith("HTTP/1.1 ") || !(status >= 100)) {
      throw new Error(`Cannot read a response that is not HTTP/1.1: ${JSON.stringify(text.slice(0, headEnd))}.`)
    }
    return status
  }

  #wait(text) {
    this.#text = text
    return 0
  }
}
