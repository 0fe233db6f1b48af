import { readFileSync } from "node:fs"
import asc from "assemblyscript/asc"
import { describe, expect, test } from "vitest"
import { KEY_STAGER_WASM, makeKeyStager } from "../../src/engine/key-stager.js"
import { Random, SEED } from "./random.js"

const SOURCE = new URL("../../assembly/key-stager/index.ts", import.meta.url)

describe("the key stager", () => {
  test("is what its source in assembly/ compiles to", async () => {
    let compiled = new Uint8Array(0)
    const flags = "--runtime stub --use abort= -O3 --noAssert --noExportMemory --enable reference-types --importMemory"
    const { error, stderr } = await asc.main(["index.ts", "--outFile", "index.wasm", ...flags.split(" ")], {
      readFile: (name) => (name === "index.ts" ? readFileSync(SOURCE, "utf8") : null),
      writeFile: (name, bytes) => {
        if (name === "index.wasm") compiled = new Uint8Array(bytes as Uint8Array)
      },
      listFiles: () => [],
    })
    expect(error, stderr.toString()).toBeNull()
    expect(Buffer.from(compiled).toString("base64")).toBe(KEY_STAGER_WASM)
  })

  test(`writes ASCII as it is, however the string came to be, and refuses the rest (SLUICE_ENGINE_SEED=${SEED})`, () => {
    const memory = new WebAssembly.Memory({ initial: 2 })
    const stage = makeKeyStager(memory)
    // Node has the builtins; where a runtime has none, this is `null` and keys go another way.
    if (stage === null) throw new Error("Node has js-string builtins.")
    const random = new Random(SEED)
    const text = Array.from({ length: 4_000 }, () => String.fromCharCode(random.below(128))).join("")
    const bytes = new Uint8Array(memory.buffer)
    for (let i = 0; i < 2_000; i++) {
      const start = random.below(3_000)
      const length = random.below(513)
      const cut = text.slice(start, start + length)
      const joined = text.slice(start, start + (length >> 1)) + text.slice(start + (length >> 1), start + length)
      for (const key of [cut, joined, Buffer.from(cut, "latin1").toString("latin1")]) {
        bytes.fill(0xee, 100, 700)
        expect(stage(key, 100, 512)).toBe(length)
        expect(Buffer.from(bytes.subarray(100, 100 + length)).toString("latin1")).toBe(cut)
        expect(bytes[100 + length]).toBe(0xee)
      }
      const at = random.below(length + 1)
      const other = String.fromCharCode(128 + random.below(0xff80))
      if (length < 512) expect(stage(cut.slice(0, at) + other + cut.slice(at), 100, 512)).toBe(-1)
    }
    expect(stage("x".repeat(513), 100, 512)).toBe(-1)
    expect(stage("", 100, 512)).toBe(0)
  })
})
