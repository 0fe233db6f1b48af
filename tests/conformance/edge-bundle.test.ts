import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build, type Metafile } from "esbuild"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ROOT } from "./run-in-runtime.js"

const CODE = `
  import { RateLimiter } from "sluice"
  console.log(new RateLimiter("1/minute").check("a").allowed)
`

/** What Vercel's Edge runtime makes of an import of WebAssembly by `?module`: Node alone makes an instance of it. */
const EDGE = `
  import { readFileSync } from "node:fs"
  import { registerHooks } from "node:module"
  registerHooks({
    load(url, context, next) {
      if (!url.endsWith(".wasm?module")) return next(url, context)
      const bytes = readFileSync(new URL(url)).toString("base64")
      const source = \`export default new WebAssembly.Module(Buffer.from("\${bytes}", "base64"))\`
      return { format: "module", shortCircuit: true, source }
    },
  })
`

/** Outside the project, so that a bundle finds none of the package's files. */
const folder = mkdtempSync(join(tmpdir(), "sluice-edge-"))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("a bundle under the condition edge-light", () => {
  let metafile: Metafile

  beforeAll(async () => {
    const bundle = await build({
      absWorkingDir: ROOT,
      stdin: { contents: CODE, resolveDir: ROOT },
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      entryNames: "edge",
      bundle: true,
      format: "esm",
      conditions: ["edge-light"],
      loader: { ".wasm": "copy" },
      metafile: true,
      logLevel: "error",
    })
    metafile = bundle.metafile
  })

  test("takes the Edge runtime's way to the core, and no other runtime's", () => {
    const inputs = Object.keys(metafile.inputs).filter((path) => path.includes("engine/module."))
    expect(inputs).toEqual(["dist/src/engine/module.edge-light.js"])
  })

  test("imports the core by ?module, which lies beside it, and limits", () => {
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ kind }) => kind))
    expect(imports).toEqual(["import-statement"])
    const hooks = `data:text/javascript,${encodeURIComponent(EDGE)}`
    const args = ["--import", hooks, join(folder, "edge.mjs")]
    expect(execFileSync(process.execPath, args, { encoding: "utf8" }).trim()).toBe("true")
  })
})
