#!/usr/bin/env node
import process from "node:process"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major > 22 || (major === 22 && minor >= 13)) {
  const { start } = await import("./start.node.js")
  await start()
} else {
  // Before anything is loaded that an older one does not have.
  process.stderr.write(`error: sluice needs Node 22.13 or newer, this is ${process.versions.node}.\n`)
  process.exitCode = 1
}
