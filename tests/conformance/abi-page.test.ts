import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { ROOT, runCommand } from "./run-in-runtime.js"

const PAGE = readFileSync(`${ROOT}docs/abi.md`, "utf8")
const EXAMPLE = `${ROOT}dist/.tests/conformance/abi-example.mjs`
const module = new WebAssembly.Module(readFileSync(`${ROOT}dist/core.wasm`))

/** The page's first block of code in a language. */
function codeBlock(language: string): string {
  const block = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(PAGE)
  if (block === null) throw new Error(`docs/abi.md has no block of ${language}.`)
  return block[1]!
}

/** The first cells of the page's tables that are one piece of code, with the cell after each. */
function tableRows(): { readonly code: string; readonly next: string }[] {
  return [...PAGE.matchAll(/^\| `([^`]+)` \| ([^|]*?) \|/gm)].map(([, code, next]) => ({ code: code!, next: next! }))
}

describe("docs/abi.md", () => {
  test("has a row for every export of core.wasm, and for nothing else", () => {
    const described = tableRows().map(({ code }) => code.replace(/\(.*$/, ""))
    const exported = WebAssembly.Module.exports(module).map(({ name }) => name)
    expect(described.toSorted()).toEqual(exported.toSorted())
  })

  test("gives each function the arguments that it takes", () => {
    const exports = new WebAssembly.Instance(module).exports as Record<string, { readonly length: number }>
    const functions = tableRows().filter(({ code }) => code.includes("("))
    expect(functions.length).toBeGreaterThan(20)
    for (const { code } of functions) {
      const [, name, list] = /^(\w+)\((.*?)\)/.exec(code)!
      const names = list === "" ? [] : list!.split(", ")
      expect(names.length, code).toBe(exports[name!]!.length)
    }
  })

  test("gives each constant its value", () => {
    const exports = new WebAssembly.Instance(module).exports as Record<string, WebAssembly.Global>
    const constants = tableRows().filter(({ code }) => exports[code] instanceof WebAssembly.Global)
    expect(constants.length).toBeGreaterThan(20)
    for (const { code, next } of constants) expect(next, code).toBe(String(exports[code]!.value))
  })

  test.each([
    { runtime: "deno", args: ["run", "--no-prompt"] },
    { runtime: "node", args: ["--no-warnings"] },
  ])("its example prints what the page says, in $runtime", async ({ runtime, args }) => {
    mkdirSync(`${ROOT}dist/.tests/conformance`, { recursive: true })
    writeFileSync(EXAMPLE, codeBlock("js"))
    expect(await runCommand(runtime, [...args, EXAMPLE])).toBe(codeBlock("text"))
  })
})

describe("core.wasm.d.ts", () => {
  const TYPES = readFileSync(`${ROOT}src/engine/core.wasm.d.ts`, "utf8")
  const declared = [...TYPES.matchAll(/^export declare (?:const (\w+)|function (\w+)\((.*?)\)): \w/gms)]

  test("declares every export of core.wasm, and nothing else but the module", () => {
    const names = declared.map(([, constant, name]) => constant ?? name)
    const exported = WebAssembly.Module.exports(module).map(({ name }) => name)
    expect(names.toSorted()).toEqual(exported.toSorted())
    expect(TYPES).toContain("export default core")
  })

  test("gives each function the arguments that it takes", () => {
    const exports = new WebAssembly.Instance(module).exports as Record<string, { readonly length: number }>
    for (const [, , name, list] of declared) {
      if (name === undefined) continue
      expect(list!.match(/\w+: number/g)?.length ?? 0, name).toBe(exports[name]!.length)
    }
  })
})
