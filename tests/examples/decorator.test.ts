import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { expect, test } from "vitest"

const root = join(import.meta.dirname, "..", "..")

test("examples/decorator limits methods, each by its own policy, key and cost", async () => {
  // Within dist/, so that `sluice` is the built package.
  const folder = join(root, "dist", ".tests", "examples")
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, "decorator.mjs")
  await build({
    entryPoints: [join(root, "examples", "decorator.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    target: "es2022",
    logLevel: "silent",
  })
  try {
    const { main } = (await import(pathToFileURL(outfile).href)) as { main: () => string[] }
    expect(main()).toEqual([
      'sent "hello" to ada@example.com',
      'sent "hello again" to ada@example.com',
      "denied: 0 of 2 left, try again in 30 s",
      'sent "hello" to bob@example.com',
      "one two three four",
      "16 words left",
      "pong",
    ])
  } finally {
    rmSync(outfile)
  }
})
