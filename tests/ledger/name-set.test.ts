import { describe, expect, test, vi } from "vitest"
import { NameSet } from "../../src/ledger/name-set.js"

describe("NameSet", () => {
  test("add() takes more names than one set of the runtime holds, each once", () => {
    const names = new NameSet(3)
    for (const name of ["a", "b", "c", "d", "b", "e", "d", "f", "g", "a"]) names.add(name)
    expect([...names]).toEqual(["a", "b", "c", "d", "e", "f", "g"])
    expect(names.size).toBe(7)
    expect(["a", "f", "g", "h"].map((name) => names.has(name))).toEqual([true, true, true, false])
  })

  test("add() puts no more names into one set of the runtime than it holds", () => {
    const most = 2
    class BoundedSet extends Set<string> {
      override add(name: string): this {
        if (this.size >= most) throw new RangeError("Set maximum size exceeded")
        return super.add(name)
      }
    }
    vi.stubGlobal("Set", BoundedSet)
    try {
      const names = new NameSet(most)
      for (let name = 0; name < 7; name++) names.add(`${name}`)
      expect([...names]).toEqual(["0", "1", "2", "3", "4", "5", "6"])
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test("delete() takes a name from wherever it lies, and what is added again comes at the end", () => {
    const names = new NameSet(2)
    for (const name of ["a", "b", "c", "d", "e"]) names.add(name)
    for (const name of ["a", "d", "none"]) names.delete(name)
    names.add("a")
    expect([...names]).toEqual(["b", "c", "e", "a"])
    expect(names.size).toBe(4)
  })

  test("an iteration tells first those that were there when it began, while names come and go", () => {
    const names = new NameSet(2)
    for (const name of ["a", "b", "c"]) names.add(name)
    const told: string[] = []
    for (const name of names) {
      told.push(name)
      names.delete(name)
      if (name < "d") names.add(`${name}${name}`)
      if (told.length === 3) break
    }
    expect(told).toEqual(["a", "b", "c"])
    expect([...names]).toEqual(["aa", "bb", "cc"])
  })
})
