import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { Scratch } from "./run.js"

const MAIN = join(import.meta.dirname, "../../dist/src/cli/main.node.js")
export const TOKEN = "a-token-for-the-tests"
export const AUTH = `Authorization: Bearer ${TOKEN}\r\nHost: x\r\n`

export interface Served {
  readonly url: string
  readonly port: number
  readonly child: ChildProcess
}

/** Processes of `sluice serve` on a folder that is gone with them. */
export class Servers implements Disposable {
  readonly scratch = new Scratch()
  readonly #children: ChildProcess[] = []

  /** Starts one on a free port, and waits until it says that it serves. */
  serve(...args: string[]): Promise<Served> {
    return this.serveIn([], ...args)
  }

  /** `serve`, started by another command, which is to become it. */
  async serveIn(starter: readonly string[], ...args: string[]): Promise<Served> {
    const own = [MAIN, "serve", "--json", "--port", "0", "--data-dir", this.scratch.file("data"), ...args]
    const [command, ...rest] = [...starter, process.execPath, ...own] as [string, ...string[]]
    const child = spawn(command, rest, {
      env: { ...process.env, SLUICE_TOKEN: TOKEN },
      stdio: ["ignore", "pipe", "pipe"],
    })
    this.#children.push(child)
    const [first] = (await Promise.race([
      once(child.stdout!, "data"),
      once(child.stderr!, "data").then(([text]) => Promise.reject(new Error(String(text)))),
    ])) as [Buffer]
    const { url } = JSON.parse(String(first)) as { url: string }
    return { url, port: Number(new URL(url).port), child }
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL")
    this.scratch[Symbol.dispose]()
  }
}

/** Sends bytes and collects what comes back until the server closes, or has sent so many answers. */
export function raw(port: number, text: string, answers: number, endsAtOnce = false): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ""
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
      if (endsAtOnce) socket.end(text)
      else socket.write(text)
    })
    const done = () => {
      socket.destroy()
      resolve(received)
    }
    socket.on("data", (chunk) => {
      received += chunk
      if (!endsAtOnce && received.split("HTTP/1.1 ").length - 1 === answers && /(\}|\]|null|\n)$/.test(received)) done()
    })
    socket.on("end", done)
    socket.on("error", reject)
  })
}

export function post(path: string, body: string, headers = ""): string {
  return `POST ${path} HTTP/1.1\r\n${AUTH}Content-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** A connection that keeps what came, and how it ended: `"end"`, or the code of the error. */
export class RawConnection {
  readonly socket: Socket
  received = ""
  readonly ended: Promise<string>

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    this.socket.on("data", (chunk) => {
      this.received += chunk
    })
    this.ended = new Promise((resolve) => {
      this.socket.once("end", () => resolve("end"))
      this.socket.once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    })
  }

  /** The bodies of the answers so far, as JSON. */
  get bodies(): unknown[] {
    return this.received
      .split(/HTTP\/1\.1 \d{3} [^\r]*\r\n/)
      .slice(1)
      .map((answer) => JSON.parse(answer.split("\r\n\r\n")[1] || "null"))
  }
}

/** Resolves when new connections are refused. */
export async function refusing(port: number): Promise<void> {
  const code = await new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.once("connect", () => {
      socket.destroy()
      resolve(null)
    })
  })
  if (code !== "ECONNREFUSED") await refusing(port)
}
