import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

/** What the package `workerd` exports, which has no declarations. */
const { default: executable, compatibilityDate } = createRequire(import.meta.url)("workerd") as {
  readonly default: string
  readonly compatibilityDate: string
}

/** The descriptor on which workerd says which port it got. */
const CONTROL = 3
const READY_WITHIN_MS = 20_000
/**
 * Where the disks are. A kill loses nothing that the kernel was given, so memory does for a disk; it takes many times
 * the commits, and so many more moments to be killed in.
 */
const PARENT = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

/** workerd's configuration, in Cap'n Proto text. The disk is given on the command line. */
function configOf(vars: Readonly<Record<string, string>>): string {
  const quoted = (text: string) => JSON.stringify(text)
  const bindings = Object.entries(vars).map(([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)}),`)
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "disk", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "core.wasm", wasm = embed "core.wasm"),
  ],
  compatibilityDate = ${quoted(compatibilityDate)},
  bindings = [
    ${bindings.join("\n    ")}
    (name = "LIMITER", durableObjectNamespace = "LimiterObject"),
  ],
  durableObjectNamespaces = [(className = "LimiterObject", uniqueKey = "limiters", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
);
`
}

/** A Worker in a real workerd, its objects on a disk that outlives the process. */
export class WorkerdProcess {
  readonly #folder: string
  readonly #config: string
  #child: ChildProcess | null = null
  #complaint = ""
  #url = ""

  private constructor(folder: string, config: string) {
    this.#folder = folder
    this.#config = config
  }

  /**
   * Bundles a Worker; nothing runs yet.
   *
   * @param source its file, relative to this folder
   * @param vars its text bindings
   */
  static async of(source: string, vars: Readonly<Record<string, string>>): Promise<WorkerdProcess> {
    const folder = mkdtempSync(join(PARENT, "sluice-crash-"))
    mkdirSync(join(folder, "disk"))
    await build({
      entryPoints: [fileURLToPath(new URL(source, import.meta.url))],
      outfile: join(folder, "worker.js"),
      bundle: true,
      format: "esm",
      target: "es2024",
      conditions: ["workerd", "worker", "browser"],
      external: ["cloudflare:*"],
      // workerd compiles the module itself, from the file that the import names.
      loader: { ".wasm": "copy" },
      assetNames: "[name]",
    })
    const config = join(folder, "config.capnp")
    writeFileSync(config, configOf(vars))
    return new WorkerdProcess(folder, config)
  }

  /** The process that runs. */
  get pid(): number {
    return this.#child!.pid!
  }

  /** What workerd wrote to stderr so far. */
  get complaint(): string {
    return this.#complaint
  }

  /** Starts the process without waiting until it serves. */
  spawn(): ChildProcess {
    const child = spawn(
      executable,
      [
        "serve",
        "--experimental",
        `--directory-path=disk=${join(this.#folder, "disk")}`,
        `--control-fd=${CONTROL}`,
        this.#config,
      ],
      { stdio: ["ignore", "ignore", "pipe", "pipe"] },
    )
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-4_000)
    })
    this.#child = child
    return child
  }

  /** Starts the process, and resolves when it serves. */
  async start(): Promise<void> {
    const child = this.spawn()
    const deadline = AbortSignal.timeout(READY_WITHIN_MS)
    let messages = ""
    for await (const text of (child.stdio[CONTROL] as NodeJS.ReadableStream).setEncoding("utf8")) {
      messages += text
      const port = /"event"\s*:\s*"listen".*"port"\s*:\s*(\d+)/.exec(messages)?.[1]
      if (port !== undefined) {
        this.#url = `http://127.0.0.1:${port}`
        return
      }
      deadline.throwIfAborted()
    }
    throw new Error(`workerd ended before it served: ${this.#complaint}`)
  }

  /** Kills the process at once, as a crash would, and resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  }

  /** Starts the process and kills it after so many ms, served or not. */
  async crashAfter(ms: number): Promise<void> {
    this.spawn()
    await sleep(ms)
    await this.kill()
  }

  /**
   * Asks the Worker.
   *
   * @returns `null` where the process was killed before the whole answer had come
   * @throws {Error} where the answer is a failure
   */
  async ask<T>(path: string): Promise<T | null> {
    let status: number
    let text: string
    try {
      const response = await fetch(this.#url + path)
      status = response.status
      text = await response.text()
    } catch {
      return null
    }
    if (status !== 200) throw new Error(`${path} answered ${status}: ${text}`)
    return JSON.parse(text) as T
  }

  /**
   * Asks the Worker, and goes away when told so. The connection is reset, which cancels the request: one that is only
   * closed, or whose `fetch` is aborted, may be served to its end.
   *
   * @returns whether the answer began to come before
   * @throws {Error} where it is a failure
   */
  async askUntil(path: string, leaving: Promise<unknown>): Promise<boolean> {
    const socket = connect(Number(new URL(this.#url).port), "127.0.0.1")
    let answer = ""
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text
    })
    // Where the process was killed, there is no answer either.
    socket.on("error", () => undefined)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    try {
      await leaving
    } finally {
      socket.resetAndDestroy()
    }
    if (answer !== "" && !answer.startsWith("HTTP/1.1 200 ")) throw new Error(`${path} answered ${answer}`)
    return answer !== ""
  }

  /** Ends the process and removes its disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
