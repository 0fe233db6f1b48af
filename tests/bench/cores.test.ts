import { expect, test } from "vitest"
import { benchModule } from "./bench-module.js"

const { parseCoreList, pinned } = await benchModule<{
  parseCoreList(text: string): number[]
  pinned(cores: string | null, command: readonly string[]): readonly string[]
}>("lib/cores.mjs")

test.each([
  ["0-1", [0, 1]],
  ["3", [3]],
  ["0-2,5,8-9\n", [0, 1, 2, 5, 8, 9]],
])("parseCoreList() reads %j", (text, cores) => {
  expect(parseCoreList(text)).toEqual(cores)
})

test("pinned() leaves the command alone where nothing can be pinned", () => {
  expect(pinned(null, ["node", "x"])).toEqual(["node", "x"])
  expect(pinned("1", ["node", "x"])).toEqual(["taskset", "--cpu-list", "1", "node", "x"])
})
