import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { type Browser, type ConsoleMessage, chromium, type Page } from "playwright-core"
import { SluiceClient } from "../../src/client/index.js"
import { Scratch } from "../cli/run.js"

const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium"
const MAIN = join(import.meta.dirname, "../../dist/src/cli/main.node.js")

export const CHROMIUM_IS_THERE = existsSync(CHROMIUM)
export const TOKEN = "a-token-for-the-tests"
/** Where pictures of the views go; none are taken without it. */
export const PICTURES = process.env["SLUICE_PICTURES"]

/** Whether the API answered that there is none of what was asked for: of a file of the page that is to be told. */
function isMissingAnswer(message: ConsoleMessage): boolean {
  return /status of 404/.test(message.text()) && new URL(message.location().url).pathname.startsWith("/v1/")
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  })
}

/** `sluice serve` on a folder of its own, and a browser to look at it. */
export class Dashboard implements AsyncDisposable {
  readonly client: SluiceClient
  /** What the browser complained of, and addresses asked for that are not the server's. */
  readonly complaints: string[] = []

  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly browser: Browser,
    private readonly scratch: Scratch,
  ) {
    this.client = new SluiceClient(url, { token: TOKEN })
  }

  static async start(): Promise<Dashboard> {
    const scratch = new Scratch()
    const child = spawn(
      process.execPath,
      [MAIN, "serve", "--json", "--port", "0", "--data-dir", scratch.file("data")],
      {
        env: { ...process.env, SLUICE_TOKEN: TOKEN },
        stdio: ["ignore", "pipe", "inherit"],
      },
    )
    const [first] = (await once(child.stdout!, "data")) as [Buffer]
    const { url } = JSON.parse(String(first)) as { url: string }
    const browser = await launchChromium()
    if (PICTURES !== undefined) mkdirSync(PICTURES, { recursive: true })
    return new Dashboard(url, child, browser, scratch)
  }

  async open(options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> {
    const page = await this.browser.newPage({ viewport: { width: 1100, height: 800 }, ...options })
    page.on("console", (message) => {
      // What the API refuses is told by the browser too.
      const isRefusal = /status of (40[013]|429|503)/.test(message.text()) || isMissingAnswer(message)
      if (message.type() === "error" && !isRefusal) this.complaints.push(message.text())
    })
    page.on("pageerror", (error) => this.complaints.push(String(error)))
    page.on("request", (request) => {
      const asked = request.url()
      if (!asked.startsWith(this.url) && !asked.startsWith("data:")) this.complaints.push(asked)
    })
    await page.goto(`${this.url}/dashboard`)
    return page
  }

  async logIn(page: Page): Promise<void> {
    await page.getByLabel("Token").fill(TOKEN)
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByRole("heading", { name: "Checks per second" }).waitFor()
  }

  async picture(page: Page, name: string): Promise<void> {
    if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, `${name}.png`) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close()
    this.child.kill("SIGKILL")
    this.scratch[Symbol.dispose]()
  }
}
