import { mkdirSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { Miniflare } from "miniflare"
import { startWorker } from "../start-worker.js"
import type { Answer } from "./example.js"
import type { Outcome } from "./promises.js"

const OUTCOMES = "/.outcomes"
const MOST_REQUESTS = 500

/** The Worker of an example, with a path that tells what came of its promises. */
function entryOf(file: string): string {
  return `import example from "./${basename(file)}"
import { outcomes } from ${JSON.stringify(join(import.meta.dirname, "promises.ts"))}
export * from "./${basename(file)}"
export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname === "${OUTCOMES}") return Response.json(outcomes)
    return example.fetch(request, env, context)
  },
}`
}

/** Runs a Worker in workerd and asks it for what its example says it answers; once, where that says nothing. */
export async function answersOf(file: string, answers: readonly Answer[]): Promise<Outcome[]> {
  const folder = file.replace(/\.mts$/, "")
  mkdirSync(folder)
  const entry = join(dirname(file), `${basename(folder)}.entry.mts`)
  writeFileSync(entry, entryOf(file))
  const miniflare = await startWorker(entry, folder, { objects: { LIMITER: "LimiterObject" } })
  try {
    const outcomes: Outcome[] = []
    if (answers.length === 0) await ask(miniflare, { method: "GET", path: "/", requestFields: [] })
    for (const answer of answers) {
      const failure = await compare(miniflare, answer)
      if (failure !== null) outcomes.push({ line: answer.line, failure })
    }
    const told = await miniflare.dispatchFetch(`http://localhost${OUTCOMES}`)
    return [...((await told.json()) as Outcome[]), ...outcomes]
  } finally {
    await miniflare.dispose()
  }
}

async function ask(
  miniflare: Miniflare,
  { method, path, requestFields }: Pick<Answer, "method" | "path" | "requestFields">,
) {
  const response = await miniflare.dispatchFetch(`http://localhost${path}`, {
    method,
    headers: [...requestFields] as never,
  })
  const body = await response.text()
  if (response.status >= 500) throw new Error(`the Worker failed: ${response.status} ${body}`)
  return { status: response.status, headers: response.headers, body }
}

/** Asks until the status is the one told, and compares the rest. */
async function compare(miniflare: Miniflare, answer: Answer): Promise<string | null> {
  let response = await ask(miniflare, answer)
  for (let asked = 1; response.status !== answer.status && asked < MOST_REQUESTS; asked++) {
    response = await ask(miniflare, answer)
  }
  if (response.status !== answer.status) return `the status is ${response.status}`
  for (const [name, value] of answer.fields) {
    if (response.headers.get(name) !== value) return `${name} is ${response.headers.get(name)}, the text says ${value}`
  }
  return answer.body === null || reads(response.body, answer.body) ? null : `the body is ${response.body}`
}

/** Whether a body is as told, white space and what stands for `…` aside. */
function reads(body: string, told: string): boolean {
  const pattern = told
    .replace(/\s+/g, "")
    .split("…")
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join(".*")
  return new RegExp(`^${pattern}$`).test(body.replace(/\s+/g, ""))
}
