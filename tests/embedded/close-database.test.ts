import { expect, test } from "vitest"
import { closeDatabase } from "../../src/embedded/close-database.node.js"

test("closeDatabase() closes once a database that does not tell whether it is open, as those of Node 22.13", () => {
  let closes = 0
  const database = {
    close() {
      closes += 1
    },
  }
  closeDatabase(database)
  closeDatabase(database)
  expect(closes).toBe(1)
})

test("closeDatabase() tries again where a database could not be closed", () => {
  let closes = 0
  const database = {
    close() {
      if (++closes === 1) throw new Error("it is busy")
    },
  }
  expect(() => closeDatabase(database)).toThrow("it is busy")
  closeDatabase(database)
  expect(closes).toBe(2)
})
