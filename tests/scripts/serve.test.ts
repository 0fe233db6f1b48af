import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { describe, expect, test } from "vitest"

const program = join(import.meta.dirname, "..", "..", "scripts", "serve.mjs")

describe("npm start", () => {
  test.each([
    [["--port"], "Cannot serve: --port has no value, allowed is --port N.\n"],
    [["--port", "--var", "A:1"], "Cannot serve: --port has no value, allowed is --port N.\n"],
    [["--port="], 'Cannot serve: the port is "", allowed is 1 to 65535.\n'],
    [["--port", "65536"], 'Cannot serve: the port is "65536", allowed is 1 to 65535.\n'],
  ])("refuses %j", (args, message) => {
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" })
    expect({ status, stderr }).toEqual({ status: 2, stderr: message })
  })
})
