import { describe, expect, test } from "vitest"
import { runApart } from "./run-apart.js"

// A table is walked segment by segment. Filling another table in that order sends it long runs of hashes that agree in
// their low bits, so that a segment that splits may keep all of its cells.
describe("a table that is filled in the order of another one's walk", () => {
  test("change() carries 20,000 keys to a new policy", () => {
    const program = `
      const limit = makeLimit("20/hour")
      for (let i = 0; i < 20_000; i++) limit.check(\`key \${i}\`, 1 + (i % 5), START_MS)
      limit.change(parsePolicy("20/hour fixed_window"), START_MS)
      let kept = 0
      for (let i = 0; i < 20_000; i++) if (limit.peek(\`key \${i}\`, 0, START_MS).remaining === 19 - (i % 5)) kept++
      console.log(limit.size, kept)
    `
    expect(runApart(program)).toBe("20000 20000")
  }, 30_000)

  test("load() restores 20,000 saved keys", () => {
    const program = `
      const limit = makeLimit("20/hour")
      for (let i = 0; i < 20_000; i++) limit.check(\`key \${i}\`, 1 + (i % 5), START_MS)
      const copy = makeLimit("20/hour")
      for (const cell of limit.save(0, START_MS)) copy.load(0, cell)
      let kept = 0
      for (let i = 0; i < 20_000; i++) if (copy.peek(\`key \${i}\`, 0, START_MS).remaining === 19 - (i % 5)) kept++
      console.log(copy.size, kept)
    `
    expect(runApart(program)).toBe("20000 20000")
  }, 30_000)

  test("load() restores cells in the order of their hashes, the reverse, and of their low bits", () => {
    const program = `
      const limit = makeLimit("20/hour")
      for (let i = 0; i < 20_000; i++) limit.check(\`key \${i}\`, 1, START_MS)
      const low = (cell) => new DataView(cell.buffer).getUint32(0, true)
      const cells = limit.save(0, START_MS)
      const orders = [
        (a, b) => low(a) - low(b),
        (a, b) => low(b) - low(a),
        ...[1, 3, 7, 15].map((mask) => (a, b) => (low(a) & mask) - (low(b) & mask)),
      ]
      for (const order of orders) {
        const copy = makeLimit("20/hour")
        for (const cell of cells.toSorted(order)) copy.load(0, cell)
        console.log(copy.size)
      }
    `
    expect(runApart(program)).toBe(Array(6).fill("20000").join("\n"))
  }, 30_000)
})
