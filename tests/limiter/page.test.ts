import fc from "fast-check"
import { expect, test } from "vitest"
import { inNameOrder } from "../../src/lib/name-order.js"
import { PageNames, pageOf } from "../../src/limiter/page.js"

test("pageOf() tells of any names what sorting all of them would, each once", () => {
  const name = fc.oneof(fc.nat(5_000).map(String), fc.constantFrom("\u{1f600}", "\uffee", "z"))
  const page = fc.record({ after: name, count: fc.oneof(fc.nat(1_500), fc.constant(Number.POSITIVE_INFINITY)) })
  fc.assert(
    fc.property(fc.array(name, { maxLength: 6_000, size: "max" }), fc.option(page), (names, chosen) => {
      const sorted = [...new Set(names)].sort(inNameOrder)
      const { after = "", count } = chosen ?? {}
      const expected = sorted.filter((each) => inNameOrder(each, after) > 0).slice(0, count)
      expect(pageOf(names, chosen ?? undefined)).toEqual(expected)
    }),
  )
})

test("PageNames tells of names that come in the reverse order the first ones, also asked in between", () => {
  const names = new PageNames({ after: "b", count: 3 })
  for (let name = 9_999; name >= 1_000; name--) {
    names.add(`c${name}`)
    if (name === 5_000) expect(names.first()).toEqual(["c5000", "c5001", "c5002"])
  }
  names.add("a")
  names.add("b")
  expect(names.first()).toEqual(["c1000", "c1001", "c1002"])
})

test("PageNames of a page of none tells none", () => {
  const names = new PageNames({ count: 0 })
  names.add("a")
  expect(names.first()).toEqual([])
  names.add("b")
  expect(names.first()).toEqual([])
})
