import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type BuildOptions, build } from "esbuild"
import { afterAll, describe, expect, test } from "vitest"
import { ROOT } from "./run-in-runtime.js"

const ENTRIES = {
  sluice: `
    import { RateLimiter } from "sluice"
    console.log(new RateLimiter("1/minute").check("a").allowed)
  `,
  "sluice/embedded": `
    import { openLimiter } from "sluice/embedded"
    openLimiter({ path: "store", policy: "9/minute" }).then(async (store) => {
      console.log((await store.check("a")).allowed)
      await store.close()
    })
  `,
}

/** Outside the project, so that a bundle finds none of the package's files. */
const folder = mkdtempSync(join(tmpdir(), "sluice-bundle-"))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bundle(code: string, file: string, options: BuildOptions): Promise<string> {
  const outfile = join(folder, file)
  await build({ stdin: { contents: code, resolveDir: ROOT }, outfile, bundle: true, logLevel: "error", ...options })
  return outfile
}

function run(file: string): string {
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8" }).trim()
}

describe.each(Object.entries(ENTRIES))("a bundle of %s for Node", (name, code) => {
  const file = name.replace("/", "-")

  test("runs as an ES module", async () => {
    expect(run(await bundle(code, `${file}.mjs`, { platform: "node", format: "esm" }))).toBe("true")
  })

  test("runs as CommonJS", async () => {
    expect(run(await bundle(code, `${file}.cjs`, { platform: "node", format: "cjs" }))).toBe("true")
  })
})

describe("a browser's bundle under the condition node", () => {
  test("fetches nothing and imports nothing", async () => {
    const outfile = await bundle(ENTRIES.sluice, "page.mjs", { format: "esm", conditions: ["node"] })
    expect(readFileSync(outfile, "utf8")).not.toMatch(/\bfetch\(|["'`]node:|\bBuffer\b/)
    expect(run(outfile)).toBe("true")
  })
})
