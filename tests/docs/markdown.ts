/** A fenced block of a Markdown text. */
export interface Block {
  /** The file that it stands in, relative to the project. */
  readonly file: string
  /** The number of its first line between the fences, from 1. */
  readonly line: number
  /** The first word after the opening fence, such as `ts`. */
  readonly language: string
  readonly text: string
  /** Why it cannot run, from a comment `<!-- not run: … -->` on the line before; `null` where it can. */
  readonly notRun: string | null
}

/** A link to a file or a heading, not to another site. */
export interface Link {
  readonly line: number
  readonly target: string
}

const FENCE = /^( *)(`{3,}|~{3,})\s*(\S*)/
const NOT_RUN = /^<!-- not run:(.*)-->$/

/** The fenced blocks of a text, in order. */
export function blocksOf(file: string, text: string): Block[] {
  const lines = text.split("\n")
  const blocks: Block[] = []
  for (let index = 0; index < lines.length; index++) {
    const [, indent, fence, language] = FENCE.exec(lines[index]!) ?? []
    if (fence === undefined) continue
    const start = index + 1
    while (++index < lines.length && !lines[index]!.trim().startsWith(fence)) {}
    if (index === lines.length) throw new Error(`${file}:${start}: the block has no end`)
    const body = lines.slice(start, index).map((line) => line.slice(indent!.length))
    const before = lines.slice(0, start - 1).findLast((line) => line.trim() !== "") ?? ""
    const reason = NOT_RUN.exec(before.trim())?.[1]?.trim()
    if (reason === "") throw new Error(`${file}:${start}: the marker gives no reason`)
    blocks.push({ file, line: start + 1, language: language!, text: body.join("\n"), notRun: reason ?? null })
  }
  return blocks
}

/** The text with the lines of its fenced blocks left empty, so that the other lines keep their numbers. */
function proseOf(text: string): string {
  const lines = text.split("\n")
  for (const { line, text: body } of blocksOf("", text)) {
    lines.fill("", line - 2, line + body.split("\n").length)
  }
  return lines.join("\n")
}

/** The links of a text that lead to a file of the project or to a heading. */
export function linksOf(text: string): Link[] {
  return proseOf(text)
    .split("\n")
    .flatMap((line, index) =>
      [...line.replace(/`[^`]*`/g, "code").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({
        line: index + 1,
        target: target!,
      })),
    )
    .filter(({ target }) => !/^[a-z]+:/.test(target))
}

/** What links call the headings of a text, as code hosts derive it. */
export function anchorsOf(text: string): string[] {
  const headings = proseOf(text).match(/^#+ .*$/gm) ?? []
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, "")
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  )
}
