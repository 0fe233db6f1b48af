import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import workerd from "workerd"
import { dropFolder, makeFolder, start, stop } from "../lib/children.mjs"
import { pinned } from "../lib/cores.mjs"

const READY_MS = 20_000
const COMPLAINT_CHARACTERS = 4_000
// The descriptor on which workerd says which port it got.
const CONTROL = 3

export const WORKERD_VERSION = workerd.version
export const COMPATIBILITY_DATE = workerd.compatibilityDate

const quoted = (text) => JSON.stringify(text)

/** workerd's configuration of one contender, in Cap'n Proto text. Port and disk are given on the command line. */
function configOf(contender, { worker, wasm }) {
  const modules = [
    `(name = ${quoted(worker)}, esModule = embed ${quoted(worker)})`,
    ...wasm.map((file) => `(name = ${quoted(file)}, wasm = embed ${quoted(file)})`),
  ]
  const bindings = Object.entries(contender.vars).map(
    ([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)})`,
  )
  const object = contender.object
  if (object !== null) {
    bindings.push(`(name = ${quoted(object.binding)}, durableObjectNamespace = ${quoted(object.className)})`)
  }
  const storage =
    object === null
      ? ""
      : `
  durableObjectNamespaces = [(className = ${quoted(object.className)}, uniqueKey = "objects", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),`
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "disk", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = ${quoted(COMPATIBILITY_DATE)},
  bindings = [${bindings.join(", ")}],${storage}
);
`
}

/**
 * Writes a contender's configuration beside its bundle.
 *
 * @returns {string} the file's path
 */
export function writeConfig(contender, bundled, folder) {
  const path = join(folder, "config.capnp")
  writeFileSync(path, configOf(contender, bundled))
  return path
}

function portOf(child) {
  return new Promise((resolve, reject) => {
    let messages = ""
    let complaint = ""
    const timer = setTimeout(() => reject(new Error(`workerd did not listen within ${READY_MS} ms.`)), READY_MS)
    child.stderr.setEncoding("utf8").on("data", (text) => {
      complaint = (complaint + text).slice(-COMPLAINT_CHARACTERS)
    })
    child.stdio[CONTROL].setEncoding("utf8").on("data", (text) => {
      messages += text
      const listening = messages.split("\n").find((line) => line.includes('"listen"') && line.endsWith("}"))
      if (listening === undefined) return
      clearTimeout(timer)
      resolve({ port: JSON.parse(listening).port, complaint: () => complaint.trim() })
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => reject(new Error(`workerd ended (${code ?? signal}): ${complaint.trim()}`)))
  })
}

/**
 * Starts workerd on a free port of 127.0.0.1, its objects in a new folder.
 *
 * @param {{ config: string, parent: string, cores: string | null }} where the configuration, the folder in which to
 *   make the objects' folder, and the cores to pin to
 * @returns {Promise<{ port: number, complaint: () => string, end: () => Promise<void> }>} `complaint` is what it
 *   wrote to stderr so far; `end` kills it and removes its folder
 */
export async function serve({ config, parent, cores }) {
  const storage = makeFolder(parent)
  const disk = join(storage, "disk")
  mkdirSync(disk)
  const child = start(
    pinned(cores, [
      workerd.default,
      "serve",
      "--experimental",
      `--directory-path=disk=${disk}`,
      `--control-fd=${CONTROL}`,
      config,
    ]),
    { stdio: ["ignore", "ignore", "pipe", "pipe"] },
  )
  const end = async () => {
    await stop(child)
    dropFolder(storage)
  }
  try {
    return { ...(await portOf(child)), end }
  } catch (error) {
    await end()
    throw error
  }
}
