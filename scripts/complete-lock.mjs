// Adds to package-lock.json the optional packages of other platforms that it names but does not hold. An npm mirror
// that lacks them leaves them out when a dependency is installed, and `npm ci` then refuses the lock. Run it after `npm
// install` there; with a complete registry it finds nothing to do.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"]

const file = join(import.meta.dirname, "..", "package-lock.json")
const lock = JSON.parse(readFileSync(file, "utf8"))

/** The platform that a package's name says, as npm's `os`, `cpu` and `libc` fields. */
function platformOf(name) {
  const words = name.slice(name.lastIndexOf("/") + 1).split("-")
  if (words.includes("windows")) words.push("win32")
  if (words.includes("64")) words.push(words.includes("arm64") ? "arm64" : "x64")
  if (words.includes("gnueabihf") || words.includes("musleabihf") || words.includes("eabi")) words.push("arm")
  const os = SYSTEMS.filter((system) => words.includes(system))
  const cpu = PROCESSORS.filter((processor) => words.includes(processor))
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`cannot tell the platform of ${name}`)
  const libc = name.includes("musl") ? ["musl"] : /glibc|gnu/.test(name) && os[0] === "linux" ? ["glibc"] : undefined
  return { os, cpu, libc }
}

const added = []
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (lock.packages[key] || lock.packages[`${path}/${key}`] || !/^\d/.test(version)) continue
    const { os, cpu, libc } = platformOf(name)
    lock.packages[key] = { version, cpu, dev: true, ...(libc && { libc }), license: entry.license, optional: true, os }
    added.push(`${name}@${version}`)
  }
}

if (added.length > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"))
  lock.packages = Object.fromEntries(sorted)
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
console.log(added.length > 0 ? `Added ${added.join(", ")}` : "The lock is complete.")
