import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { expect, test } from "vitest"
import { root } from "./run-example.js"

const page = readFileSync(join(root, "docs/architecture.md"), "utf8")

test.each([
  "src/lib",
  "src/engine",
  "src/ledger",
  "src/limiter",
  "src/embedded",
  "src/edge",
  "src/http",
  "src/config",
  "src/api",
  "src/cli",
  "worker",
  "worker/api",
])("docs/architecture.md: the table of %s has each of its files", (room) => {
  const [table = ""] = page.split(`| \`${room}/\` | |`)[1]!.split("\n\n")
  const told = Array.from(table.matchAll(/`([a-z0-9-]+)`/g), ([, name]) => name!)
  const paths = globSync("*.ts", { cwd: join(root, room), exclude: ["*.d.ts"] })
  // A file for each runtime is told once.
  const files = [
    ...new Set(paths.map((file) => basename(file, ".ts").replace(/\.(node|browser|edge-light|inline|workerd)$/, ""))),
  ]
  // The entry names no thing of its own.
  expect(told.toSorted()).toEqual(files.filter((file) => file !== "index").toSorted())
})
