import { describe, expect, test } from "vitest"
import { benchModule } from "./bench-module.js"

const { ResponseScanner } = await benchModule<{
  ResponseScanner: new () => { take(chunk: Buffer, length: number): number }
}>("lib/response-scanner.mjs")

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
const DENIED = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 6\r\n\r\ndenied"

function takeAll(chunks: readonly string[]): number[] {
  const scanner = new ResponseScanner()
  return chunks.map((chunk) => scanner.take(Buffer.from(chunk, "latin1"), chunk.length))
}

describe("ResponseScanner.take()", () => {
  test("gives the status of each whole response", () => {
    expect(takeAll([OK, DENIED, OK])).toEqual([200, 429, 200])
  })

  test("gives 0 until the last byte came, wherever a response is cut", () => {
    for (let cut = 1; cut < DENIED.length; cut++) {
      expect(takeAll([DENIED.slice(0, cut), DENIED.slice(cut), OK])).toEqual([0, 429, 200])
    }
  })

  test("reads only the bytes that arrived of a reused buffer", () => {
    const buffer = Buffer.from(`${OK}left over from an earlier response`)
    expect(new ResponseScanner().take(buffer, OK.length)).toBe(200)
  })

  test("finishes a response with an empty body at the end of its head", () => {
    expect(takeAll(["HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"])).toEqual([204])
  })

  test.each([
    ["bytes that nobody asked for", `${OK}${OK}`],
    ["no Content-Length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
    ["Content-Length in the body only", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nx\r\nContent-Length: 1\r\n"],
    ["another protocol", "SSH-2.0-x\r\nContent-Length: 0\r\n\r\n"],
  ])("refuses %s", (_, text) => {
    expect(() => takeAll([text])).toThrow(/^Cannot read a response/)
  })
})
