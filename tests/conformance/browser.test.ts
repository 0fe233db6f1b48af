import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { build, type Metafile } from "esbuild"
import { beforeAll, describe, expect, test } from "vitest"
import { CHROMIUM_IS_THERE, launchChromium } from "../dashboard/open-dashboard.js"
import { declareReportedCases } from "./declare-reported-cases.js"
import { ROOT } from "./run-in-runtime.js"

const ORIGIN = "https://page.example/"
const OUTFILE = `${ROOT}dist/.tests/conformance/assets/browser.mjs`

/** What a page has in place of Node: `fetch`, which answers from `dist/`, and no `process`. */
const PAGE = `
  const { readFileSync } = process.getBuiltinModule("node:fs")
  const fetched = []
  globalThis.fetch = async (input) => {
    fetched.push(new URL(input).pathname)
    const body = readFileSync(${JSON.stringify(`${ROOT}dist/core.wasm`)})
    return new Response(body, { headers: { "content-type": "application/wasm" } })
  }
  const write = process.stdout.write.bind(process.stdout)
  delete globalThis.process
  const { run } = await import(${JSON.stringify(OUTFILE)})
  write(JSON.stringify({ report: await run(${JSON.stringify(`${ORIGIN}core.wasm`)}), fetched }))
`

/** Tells as the page's title what came of loading the bundle. */
const START = `
  import("/assets/browser.mjs").then(() => "ready", (error) => error.message).then((told) => { document.title = told })
`

describe("a browser's bundle", () => {
  let metafile: Metafile
  let fetched: string[]

  beforeAll(async () => {
    const bundle = await build({
      absWorkingDir: ROOT,
      entryPoints: ["tests/conformance/runners/browser.ts"],
      outfile: OUTFILE,
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      metafile: true,
      logLevel: "silent",
    })
    metafile = bundle.metafile
  })

  test("takes the browser's way to the core, and no other runtime's", () => {
    const inputs = Object.keys(metafile.inputs).filter((path) => path.includes("engine/module."))
    expect(inputs).toEqual(["dist/src/engine/module.browser.js"])
  })

  test("imports nothing: no node: module, no runtime's own", () => {
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
    expect(imports).toEqual([])
    expect(readFileSync(OUTFILE, "utf8")).not.toMatch(/["'`](?:node|cloudflare|bun|jsr|npm):/)
  })

  declareReportedCases(/^a browser's bundle$/, async () => {
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", PAGE], {
      encoding: "utf8",
    })
    if (stdout === "") throw new Error(stderr)
    const page = JSON.parse(stdout) as { readonly report: string; readonly fetched: string[] }
    fetched = page.fetched
    return page.report
  })

  test("fetches the core from where the package's files lie", () => {
    expect(fetched).toEqual([new URL("../../core.wasm", `file://${OUTFILE}`).pathname, "/core.wasm"])
  })

  test.skipIf(!CHROMIUM_IS_THERE).each([
    ["is served and may be compiled", "script-src 'self' 'wasm-unsafe-eval'", 200, "ready"],
    [
      "may not be compiled",
      "script-src 'self'",
      200,
      `Cannot load ${ORIGIN}core.wasm: allow 'wasm-unsafe-eval' in script-src of the page's Content-Security-Policy.`,
    ],
    [
      "is not served",
      "script-src 'self' 'wasm-unsafe-eval'",
      404,
      `Cannot load ${ORIGIN}core.wasm: serve it, or bundle with the condition "node", on an edge runtime "edge-light" or "workerd".`,
    ],
  ])("on a page where the core %s, says so", async (_where, policy, status, told) => {
    const files: Readonly<Record<string, { status?: number; contentType: string; body: string | Buffer }>> = {
      "/": { contentType: "text/html", body: '<script type="module" src="/start.mjs"></script>' },
      "/start.mjs": { contentType: "text/javascript", body: START },
      "/assets/browser.mjs": { contentType: "text/javascript", body: readFileSync(OUTFILE) },
      "/core.wasm": { contentType: "application/wasm", status, body: readFileSync(`${ROOT}dist/core.wasm`) },
    }
    const browser = await launchChromium()
    try {
      const page = await browser.newPage()
      await page.route("**/*", (route) => {
        const file = files[new URL(route.request().url()).pathname]
        return route.fulfill({ ...(file ?? { status: 404 }), headers: { "content-security-policy": policy } })
      })
      await page.goto(ORIGIN)
      await expect.poll(() => page.title()).not.toBe("")
      expect(await page.title()).toBe(told)
    } finally {
      await browser.close()
    }
  })

  test("says what to do where the core cannot be fetched, as on Node", () => {
    const { stderr } = spawnSync(process.execPath, [OUTFILE], { encoding: "utf8" })
    const { href } = new URL("../../core.wasm", `file://${OUTFILE}`)
    expect(stderr).toContain(
      `Error: Cannot load ${href}: serve it, or bundle with the condition "node", on an edge runtime "edge-light" or "workerd".`,
    )
    expect(stderr).toContain("[cause]: [TypeError: fetch failed]")
  })
})
