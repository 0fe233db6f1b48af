// Every package of the locks, on every platform, must be under a license that is listed here.
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** Licenses that ask for no more than their notice. */
const ALLOWED = [
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Unlicense",
]

/** Development tools under another license, each with the reason why it may be installed. */
const EXCEPTIONS = [
  {
    package: /^caniuse-lite$/,
    license: /^CC-BY-4\.0$/,
    reason: "data that next reads, which only tests use; never shipped",
  },
  { package: /^lightningcss/, license: /^MPL-2\.0$/, reason: "loaded by vite, which runs the tests; never shipped" },
  { package: /^@img\/sharp-/, license: /LGPL-3\.0-or-later/, reason: "libvips, loaded by miniflare, never shipped" },
]

const LOCKS = ["package-lock.json", "bench/package-lock.json"]

const packages = LOCKS.flatMap((file) => {
  return Object.entries(JSON.parse(readFileSync(join(import.meta.dirname, "..", file), "utf8")).packages)
})

/** Whether an SPDX expression lets us choose, or consists of, allowed licenses only. */
function isAllowed(expression) {
  const bare = expression.replace(/^\((.*)\)$/, "$1")
  if (/ OR /.test(bare)) return bare.split(" OR ").some(isAllowed)
  return bare.split(" AND ").every((license) => ALLOWED.includes(license))
}

const counts = new Map()
const refused = []
for (const [path, { version, license = "none stated", dev = false }] of packages) {
  if (path === "") continue
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)
  counts.set(license, (counts.get(license) ?? 0) + 1)
  const excepted = dev && EXCEPTIONS.some((entry) => entry.package.test(name) && entry.license.test(license))
  if (!isAllowed(license) && !excepted) refused.push(`${name}@${version}: ${license}`)
}

for (const [license, count] of [...counts].sort(([, a], [, b]) => b - a))
  console.log(`${String(count).padStart(5)}  ${license}`)
for (const line of refused) console.error(`not allowed: ${line}`)
process.exit(refused.length === 0 ? 0 : 1)
