import { execFile } from "node:child_process"
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { promisify } from "node:util"
import { afterAll, describe, expect, test } from "vitest"
import { unstable_readConfig } from "wrangler"
import { parseConfig } from "../../src/config/index.js"
import { ALGORITHMS } from "../../src/types/algorithm.js"
import { readSettings } from "../../worker/settings.js"
import { docstringExamplesOf, examplesOf } from "./example.js"
import { anchorsOf, blocksOf, linksOf } from "./markdown.js"
import { root, runExample, writeForTypes } from "./run-example.js"

const execute = promisify(execFile)
const read = (file: string) => readFileSync(join(root, file), "utf8")

// Within dist/, so that `sluice` in an example is the built package.
const folder = mkdtempSync(join(root, "dist", ".docs-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  ...globSync("docs/**/*.md", { cwd: root }),
]
const modules = globSync(["src/**/*.ts", "worker/*.ts"], { cwd: root })
const blocks = pages.flatMap((file) => blocksOf(file, read(file)))
const examples = [
  ...pages.flatMap((file) => examplesOf(file, read(file))),
  ...modules.flatMap((file) => docstringExamplesOf(file, read(file))),
]

describe("examples", () => {
  test.each(examples.map((example) => [`${example.file}:${example.line}`, example] as const))(
    "%s runs and keeps its promises",
    async (_place, example) => {
      const { failures, kept, made } = await runExample(example, folder)
      expect(failures).toEqual([])
      expect(kept, "promises that were looked at").toBe(made)
    },
    30_000,
  )

  test.each(["node", "worker"])(
    "those for %s have the right types",
    async (kind) => {
      for (const example of examples) {
        if (example.language !== "ts") continue
        if ((example.runtime === "worker") === (kind === "worker")) writeForTypes(example, folder)
      }
      const isWorker = kind === "worker"
      const globals = isWorker
        ? 'declare namespace Cloudflare { interface Env { LIMITER: DurableObjectNamespace<import("sluice/worker").LimiterObject> } }\n' +
          "interface Env extends Cloudflare.Env {}"
        : "declare const Deno: any\ndeclare const Bun: any"
      writeFileSync(join(folder, kind, "globals.d.ts"), globals)
      const config = {
        extends: join(root, "tsconfig.base.json"),
        compilerOptions: {
          composite: false,
          noEmit: true,
          lib: isWorker ? ["ES2024", "ESNext.Disposable"] : ["ES2024", "ESNext.Disposable", "DOM", "DOM.Iterable"],
          types: isWorker ? ["@cloudflare/workers-types"] : ["node"],
        },
        include: ["globals.d.ts", "*.mts"],
        exclude: ["*.run.mts", "*.entry.mts"],
      }
      const project = join(folder, kind, "tsconfig.json")
      writeFileSync(project, JSON.stringify(config))
      const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
      const errors = await execute(process.execPath, [tsc, "--project", project, "--pretty", "false"]).then(
        () => "",
        ({ stdout }: { stdout: string }) => stdout,
      )
      expect(errors).toBe("")
    },
    60_000,
  )
})

describe("other blocks", () => {
  const of = (language: string) => blocks.filter((block) => block.language === language && block.notRun === null)

  test.each(of("toml").map((block) => [`${block.file}:${block.line}`, block.text] as const))(
    "%s is a configuration that wrangler reads, or sluice",
    (_place, text) => {
      if (/^# sluice\.toml\b/.test(text)) {
        expect(() => parseConfig(text)).not.toThrow()
        return
      }
      const file = join(folder, "wrangler.toml")
      writeFileSync(file, text)
      const { vars } = unstable_readConfig({ config: file })
      if ("LIMITS" in vars || "CONFIG" in vars) expect(() => readSettings(vars)).not.toThrow()
    },
  )

  test.each(of("json").map((block) => [`${block.file}:${block.line}`, block.text] as const))(
    "%s is JSON",
    (_place, text) => {
      expect(() => JSON.parse(text)).not.toThrow()
    },
  )

  const inTests = blocks.flatMap((block) => {
    const [, test] = /^(tests\/\S+) is it$/.exec(block.notRun ?? "") ?? []
    return test === undefined ? [] : [[`${block.file}:${block.line}`, test, block.text] as const]
  })
  test.each(inTests)("%s is %s, which runs", (_place, test, text) => {
    expect(read(test)).toBe(`${text}\n`)
  })

  test("name only languages that something checks, or that are for people", () => {
    const known = ["ts", "js", "toml", "json", "http", "bash", "text"]
    const others = blocks.filter(({ language }) => !known.includes(language))
    expect(others.map(({ file, line, language }) => `${file}:${line}: ${language}`)).toEqual([])
  })
})

describe("pages", () => {
  test.each(pages)("%s links to files and headings that are there", (file) => {
    const broken = linksOf(read(file)).filter(({ target }) => {
      const [path, anchor] = target.split("#")
      const linked = path === "" ? file : normalize(join(dirname(file), path!))
      if (!existsSync(join(root, linked))) return true
      return anchor !== undefined && !anchorsOf(read(linked)).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  test.each(pages)("%s names only npm scripts that exist", (file) => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }
    const named = [
      ...read(file).matchAll(/\bnpm (?:run (?:--silent )?)?(start|test|(?<=run )[\w:-]+|(?<=silent )[\w:-]+)/g),
    ]
    expect(named.map(([, script]) => script!).filter((script) => scripts[script] === undefined)).toEqual([])
  })

  test.each(ALGORITHMS)("tell of the algorithm %s", (algorithm) => {
    expect(read("README.md")).toContain(`| \`${algorithm}\` |`)
    expect(anchorsOf(read("docs/algorithms.md"))).toContain(algorithm)
  })
})
