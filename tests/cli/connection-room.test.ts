import { expect, test } from "vitest"
import { connectionRoom } from "../../src/cli/connection-room.node.js"

const limits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    unlimited            bytes
Max open files            ${soft.padEnd(20)} 1048576              files
`

test.each([
  ["1024", 976],
  ["1048576", 1_048_528],
  ["20", 1],
  ["unlimited", Number.POSITIVE_INFINITY],
])("a process that may have %s files open has room for %d connections", (soft, room) => {
  expect(connectionRoom(limits(soft))).toBe(room)
})

test("where the system does not tell, there is room for any", () => {
  expect(connectionRoom("")).toBe(Number.POSITIVE_INFINITY)
})
