// What `npm publish` would send: packs it, looks at each file, installs it in an empty project and imports every entry.
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, posix } from "node:path"

const ALLOWED = [
  /^package\.json$/,
  /^(README|CHANGELOG|SECURITY)\.md$/,
  /^docs\/[\w-]+\.md$/,
  /^LICENSE$/,
  /^dist\/core\.wasm(\.d\.ts)?$/,
  /^dist\/pages\/(_headers|dashboard\/[\w.-]+)$/,
  /^dist\/vendor\/[\w-]+\.(js|d\.ts)$/,
  /^sluice\.schema\.json$/,
  /^dist\/(src|worker)\/[\w./-]+\.(js|d\.ts)$/,
]
const REQUIRED = ["LICENSE", "README.md", "CHANGELOG.md", "dist/core.wasm"]

/**
 * What packed pages lead to in the repository alone: what is run or read there, and pictures, a quarter of the package.
 */
const ONLY_IN_REPOSITORY = [/^examples\//, /^assembly\//, /^docs\/images\//, /^CONTRIBUTING\.md$/]

/** Entries that only the runtime named can import; the tests of that runtime do. */
const NOT_IN_NODE = { "./worker": "workerd" }

const root = join(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const scratch = mkdtempSync(join(tmpdir(), "sluice-package-"))
const problems = []

function npm(args, cwd) {
  return execFileSync("npm", [...args, "--loglevel=error"], { cwd, encoding: "utf8" })
}

/** Entries whose types build on those of a framework, which a user of that has. Those of Node itself are there. */
const OF_FRAMEWORKS = new Set(
  Object.keys(manifest.exports).filter(
    (entry) => entry !== "./node" && targets(manifest.exports[entry]).some((path) => path.includes("/src/adapters/")),
  ),
)

/** The files of the project that a page leads to. */
function linksOf(page) {
  const links = readFileSync(join(root, page), "utf8").matchAll(/\]\(([\w./-]+)(?:#[^)]*)?\)/g)
  return [...links].map(([, target]) => posix.join(posix.dirname(page), target))
}

/** Bundles the deployable Worker of an installed package as its page says, and sends nothing. */
function checkDeployable(project, installed) {
  const page = readFileSync(join(installed, "docs", "deployable-worker.md"), "utf8")
  const blocks = [...page.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, text]) => text)
  writeFileSync(
    join(project, "wrangler.toml"),
    blocks.find((text) => text.includes("node_modules/sluice/")),
  )
  const { status, stdout, stderr } = spawnSync(
    join(root, "node_modules", ".bin", "wrangler"),
    ["deploy", "--dry-run", "--outdir", join(project, "deployed")],
    { cwd: project, encoding: "utf8" },
  )
  const missing = ["core.wasm", "index.js"].filter((name) => {
    return status === 0 && !readdirSync(join(project, "deployed")).some((file) => file.endsWith(name))
  })
  if (status !== 0) problems.push(`the Worker of the package cannot be deployed:\n${stdout}${stderr}`)
  for (const name of missing) problems.push(`the deployed Worker of the package has no ${name}`)
}

/** Compiles imports of the entries in a project without the DOM, whose dependencies are looked at too. */
function checkTypes(project, specifiers) {
  writeFileSync(join(project, "index.ts"), specifiers.map((each) => `import ${JSON.stringify(each)}\n`).join(""))
  const compilerOptions = {
    ...{ module: "nodenext", target: "es2023", lib: ["es2023", "esnext.disposable"], strict: true, noEmit: true },
    ...{ types: ["node"], typeRoots: [join(root, "node_modules", "@types")], skipLibCheck: false },
  }
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["index.ts"] }))
  const { status, stdout } = spawnSync(join(root, "node_modules", ".bin", "tsc"), ["-p", "."], {
    cwd: project,
    encoding: "utf8",
  })
  if (status !== 0) problems.push(`the types cannot be compiled without the DOM:\n${stdout}`)
}

/** Every file that exports or imports of package.json name. */
function targets(value) {
  return typeof value === "string" ? [value] : Object.values(value).flatMap(targets)
}

try {
  // What is in dist/ was built just before; prepack would clean it under the feet of other checks.
  const report = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", scratch], root))
  const [packed] = Array.isArray(report) ? report : Object.values(report)
  const files = packed.files.map(({ path }) => path)
  console.log(`${packed.filename}: ${files.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`)

  for (const path of files) {
    if (!ALLOWED.some((pattern) => pattern.test(path))) problems.push(`${path} is packed`)
  }
  for (const path of [...REQUIRED, ...targets([manifest.exports, manifest.imports]).map((path) => path.slice(2))]) {
    if (!files.includes(path)) problems.push(`${path} is not packed`)
  }

  for (const page of files.filter((each) => each.endsWith(".md"))) {
    for (const path of linksOf(page)) {
      if (files.includes(path) || ONLY_IN_REPOSITORY.some((pattern) => pattern.test(path))) continue
      problems.push(`${page} leads to ${path}, which is not packed`)
    }
  }

  const project = join(scratch, "project")
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  npm(["install", "--no-audit", "--no-fund", join(scratch, packed.filename)], project)
  const installed = join(project, "node_modules", manifest.name)
  for (const path of files.filter((each) => /\.(js|d\.ts)$/.test(each))) {
    const maps = readFileSync(join(installed, path), "utf8").matchAll(/^\/\/# sourceMappingURL=(.*)$/gm)
    for (const [, map] of maps) {
      if (!files.includes(join(path, "..", map))) problems.push(`${path} names ${map}, which is not packed`)
    }
  }
  for (const entry of Object.keys(manifest.exports)) {
    if (!targets(manifest.exports[entry]).some((path) => path.endsWith(".js"))) continue
    const specifier = `${manifest.name}${entry.slice(1)}`
    if (NOT_IN_NODE[entry]) {
      console.log(`${specifier}: for ${NOT_IN_NODE[entry]}`)
      continue
    }
    const code = `console.log(Object.keys(await import(${JSON.stringify(specifier)})).sort().join(", "))`
    try {
      const names = execFileSync(process.execPath, ["--input-type=module", "--eval", code], {
        cwd: project,
        encoding: "utf8",
      }).trim()
      console.log(`${specifier}: ${names}`)
      if (names === "") problems.push(`${specifier} exports nothing`)
    } catch {
      problems.push(`${specifier} cannot be imported in Node`)
    }
  }
  checkDeployable(project, installed)
  const typed = Object.keys(manifest.exports).filter(
    (entry) => targets(manifest.exports[entry]).some((path) => path.endsWith(".js")) && !NOT_IN_NODE[entry],
  )
  checkTypes(
    project,
    typed.filter((entry) => !OF_FRAMEWORKS.has(entry)).map((entry) => `${manifest.name}${entry.slice(1)}`),
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

for (const problem of problems) console.error(problem)
process.exit(problems.length === 0 ? 0 : 1)
