import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { expect, test } from "vitest"
import { root } from "./run-example.js"

const page = readFileSync(join(root, "docs/architecture.md"), "utf8")

test.each(["src/ledger", "src/limiter"])("docs/architecture.md: the table of %s has each of its files", (room) => {
  const [table = ""] = page.split(`| \`${room}/\` | |`)[1]!.split("\n\n")
  const told = Array.from(table.matchAll(/`([a-z-]+)`/g), ([, name]) => name!)
  const files = globSync("*.ts", { cwd: join(root, room) }).map((file) => basename(file, ".ts").replace(/\.node$/, ""))
  // The entry names no thing of its own.
  expect(told.toSorted()).toEqual(files.filter((file) => file !== "index").toSorted())
})
