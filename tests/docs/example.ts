import { transformSync } from "esbuild"
import { type Block, blocksOf } from "./markdown.js"

/** What a Worker answers, by an `http` block that follows it. */
export interface Answer {
  readonly line: number
  readonly method: string
  readonly path: string
  readonly requestFields: readonly (readonly [string, string])[]
  readonly status: number
  readonly fields: readonly (readonly [string, string])[]
  /** The body, where parts may be left out with `…`; `null` where the block tells none. */
  readonly body: string | null
}

/** Blocks that make one program, on the lines where they stand in their file. */
export interface Example {
  readonly file: string
  readonly line: number
  readonly runtime: "node" | "deno" | "bun" | "worker"
  /** The language of its first block: `js` is run only, `ts` is type-checked as well. */
  readonly language: string
  readonly source: string
  readonly answers: readonly Answer[]
}

const CODE = ["ts", "js"]
const IMPORTS = /^import [^"]*from "[^"]+"$/gm
/** In a docstring a comment that is a value is a promise too, without the arrow. */
const LITERAL_COMMENT = /(\/\/) (?=["'\d{[-]|(?:true|false|null|undefined)\b)/g

const hasImports = (text: string) => text.match(IMPORTS) !== null

/** An example whose blocks are still being gathered. */
type Draft = Pick<Example, "file" | "line" | "language" | "source" | "answers">

/** The programs of a Markdown text: a block with imports starts one, a block without them goes on with it. */
export function examplesOf(file: string, text: string): Example[] {
  const drafts: Draft[] = []
  for (const block of blocksOf(file, text)) {
    if (block.notRun !== null) continue
    const last = drafts.at(-1)
    if (block.language === "http") {
      if (last === undefined || !isWorker(last))
        throw new Error(`${file}:${block.line}: no Worker before it could answer so`)
      drafts[drafts.length - 1] = { ...last, answers: [...last.answers, answerOf(block)] }
    } else if (CODE.includes(block.language)) {
      if (last === undefined || hasImports(block.text)) {
        drafts.push({ file, line: block.line, language: block.language, source: padded("", block), answers: [] })
      } else {
        drafts[drafts.length - 1] = { ...last, source: padded(last.source, block) }
      }
    }
  }
  return drafts.map(finished)
}

/** The examples of a module's docstrings. An editor shows each alone, so it declares all that it uses. */
export function docstringExamplesOf(file: string, text: string): Example[] {
  return blocksOf(file, docstringsOf(text))
    .filter(({ language }) => CODE.includes(language))
    .map((block) => {
      const source = padded("", block).replace(LITERAL_COMMENT, "$1 → ")
      const draft = { file, line: block.line, language: block.language, source, answers: [] }
      return { ...draft, runtime: runtimeOf(draft) }
    })
}

/** The docstrings of a module as text, on their own lines. */
function docstringsOf(text: string): string {
  let inside = false
  return text
    .split("\n")
    .map((line) => {
      inside ||= /^\s*\/\*\*/.test(line)
      const kept = inside ? line.replace(/^\s*(?:\/\*\*|\*\/|\*) ?/, "") : ""
      inside &&= !/\*\/\s*$/.test(line)
      return kept
    })
    .join("\n")
}

/** A source followed by a block, on the block's own lines. */
function padded(source: string, { line, text }: Block): string {
  return source + "\n".repeat(line - source.split("\n").length) + text
}

function isWorker({ source }: Pick<Draft, "source">): boolean {
  return /from "(sluice\/worker|cloudflare:[a-z]+)"/.test(source)
}

function runtimeOf(draft: Pick<Draft, "source">): Example["runtime"] {
  if (isWorker(draft)) return "worker"
  return /\bDeno\./.test(draft.source) ? "deno" : /\bBun\./.test(draft.source) ? "bun" : "node"
}

function finished(draft: Draft): Example {
  const runtime = runtimeOf(draft)
  return { ...draft, runtime, source: runtime === "worker" ? asWorker(draft.source) : draft.source }
}

/** Statements that need an `env` run in a Worker's `fetch`. */
function asWorker(source: string): string {
  if (/^export default/m.test(source)) return source
  const lastImport = [...source.matchAll(IMPORTS)].at(-1)!
  const end = lastImport.index + lastImport[0].length
  const head =
    'export { LimiterObject } from "sluice/worker"; export default { async fetch(request: Request, env: Env) {'
  return `${source.slice(0, end)}; ${head}${source.slice(end)}\n;return new Response(request.url) } }`
}

function answerOf({ file, line, text }: Block): Answer {
  const [head, body] = text.split(/\n\n(?!HTTP)/)
  const lines = head!.split("\n").filter((each) => each !== "")
  const statusAt = lines.findIndex((each) => each.startsWith("HTTP/"))
  const [, method = "GET", path = "/"] = (statusAt > 0 && /^([A-Z]+) (\S+)/.exec(lines[0]!)) || []
  const status = Number(/^HTTP\/1\.1 (\d{3})\b/.exec(lines[statusAt] ?? "")?.[1])
  if (Number.isNaN(status)) throw new Error(`${file}:${line}: the block has no status line`)
  const fieldOf = (each: string) => [each.slice(0, each.indexOf(":")), each.slice(each.indexOf(":") + 2)] as const
  const requestFields = lines.slice(1, Math.max(statusAt, 1)).map(fieldOf)
  return {
    line,
    method,
    path,
    status,
    requestFields,
    fields: lines.slice(statusAt + 1).map(fieldOf),
    body: body ?? null,
  }
}

/** A promise is the last thing on its line, or on the line after its statement. */
const PROMISE = /^(.*?)\s*\/\/ → (.+)$/

/** The example as a program that reports on each of its promises, and how many those are. */
export function instrumented({ file, source }: Example, promises: string): { source: string; promises: number } {
  const lines = source.split("\n")
  let count = 0
  for (let index = 0; index < lines.length; index++) {
    const [, code, expected] = PROMISE.exec(lines[index]!) ?? []
    if (code === undefined || expected === undefined) continue
    count += 1
    const end = code.trim() === "" ? index - 1 : index
    lines[index] = code
    const start = statementStart(lines, end, `${file}:${index + 1}`)
    const statement = lines.slice(start, end + 1).join("\n")
    const name = /^\s*(?:const|let) (\w+)\b/.exec(statement)?.[1]
    const expression = name ?? statement
    lines[start] =
      `${name === undefined ? "" : `${statement}\n;`}await promised(${index + 1}, async () => (${expression}\n), ${promisedOf(expected)})`
    lines.fill("", start + 1, end + 1)
  }
  return { source: `import { promised } from ${JSON.stringify(promises)}; ${lines.join("\n")}`, promises: count }
}

function promisedOf(text: string): string {
  if (text.startsWith("throws ")) return JSON.stringify({ kind: "throws", text: text.slice("throws ".length) })
  if (/^\d{3}(, [\w-]+: .*)?$/.test(text) && /^[1-5]\d\d(,|$)/.test(text) && text.includes(": ")) {
    return JSON.stringify({ kind: "response", text })
  }
  const isPart = text.includes("…")
  const value = text.replace(/,?\s*…/g, "")
  return `{ kind: "value", text: ${JSON.stringify(text)}, isPart: ${isPart}, value: (${value}) }`
}

/** The first line of the statement that ends on a line: the nearest from which on the lines are one. */
function statementStart(lines: readonly string[], end: number, place: string): number {
  for (let start = end; start >= 0; start--) {
    const text = lines.slice(start, end + 1).join("\n")
    if (isCode(/^\s*(const|let) /.test(text) ? text : `async () => (${text}\n)`)) return start
  }
  throw new Error(`${place}: no statement ends where this promise is made`)
}

function isCode(text: string): boolean {
  try {
    transformSync(text, { loader: "ts", logLevel: "silent" })
    return true
  } catch {
    return false
  }
}
