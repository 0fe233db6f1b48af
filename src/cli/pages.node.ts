import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { ApiAnswer, ApiRequest } from "../api/api-request.js"
import { pageProblem } from "../api/page-problem.js"

const FOLDER = fileURLToPath(new URL("../../pages/", import.meta.url))
const PATH = "/dashboard/"

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
}

/**
 * Answers requests for the dashboard and below it, and `null` to all others. Its files hold no secrets and need no
 * token. They are read once, so no path from outside ever reaches the file system. The header fields are those that the
 * Worker's assets have.
 */
export function dashboardPages(): (request: ApiRequest) => ApiAnswer | null {
  const files = new Map<string, ApiAnswer>()
  if (existsSync(FOLDER)) {
    const fields = readFields(readFileSync(join(FOLDER, "_headers"), "utf8"))
    for (const name of readdirSync(join(FOLDER, "dashboard"))) {
      const body = readFileSync(join(FOLDER, "dashboard", name))
      const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`
      const headers = { ...fields, "Content-Type": TYPES[extname(name)] ?? "application/octet-stream", ETag: etag }
      files.set(PATH + name, { status: 200, headers, body })
    }
    const index = files.get(`${PATH}index.html`)
    if (index !== undefined) files.set(PATH, index)
    files.set(PATH.slice(0, -1), { status: 308, headers: { Location: PATH }, body: null })
  }
  return function pages(request) {
    const file = files.get(request.path)
    if (file === undefined && !request.path.startsWith(PATH)) return null
    const { method } = request
    if (file === undefined || (method !== "GET" && method !== "HEAD")) return pageProblem(method)
    const isKnown = file.headers["ETag"] !== undefined && request.header("if-none-match") === file.headers["ETag"]
    return isKnown ? { status: 304, headers: file.headers, body: null } : file
  }
}

/** The fields of a `_headers` file that has one pattern. */
function readFields(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => /^\s+\S/.test(line))
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
    }),
  )
}
