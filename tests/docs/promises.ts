// Runs inside the examples, in Node, Deno, Bun and workerd: plain JavaScript with types, nothing imported.

/** What an example says of a value, as its text wrote it. */
export interface Promised {
  /** `throws` a message, `response` a status and a field, or a value. */
  readonly kind: "value" | "response" | "throws"
  readonly text: string
  /** The value; of an object or array that ends in `…`, only what is written. */
  readonly value?: unknown
  readonly isPart?: boolean
}

/** What came of an expression that an example makes a promise about. */
export interface Outcome {
  readonly line: number
  /** What differs; `null` where the promise holds. */
  readonly failure: string | null
}

/** @public for the programs that examples are made into */
export const outcomes: Outcome[] = []

/**
 * Compares what an expression gives with what the example says of it.
 *
 * @public for the programs that examples are made into
 */
export async function promised(line: number, expression: () => unknown, expected: Promised): Promise<void> {
  let failure: string | null
  try {
    const actual = await sampled(await expression())
    failure =
      expected.kind === "throws" ? `nothing was thrown, the value is ${shown(actual)}` : differs(actual, expected)
  } catch (error) {
    if (expected.kind === "throws") failure = String(error).includes(expected.text) ? null : String(error)
    else failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  outcomes.push({ line, failure })
}

/** A key extractor is shown by the key that it gives a sample request. */
function sampled(actual: unknown): unknown {
  if (typeof actual !== "function") return actual
  const request = new Request("http://localhost/login", { method: "POST" })
  return actual(request, { remoteAddress: "192.0.2.1" })
}

function differs(actual: unknown, { kind, text, value, isPart = false }: Promised): string | null {
  const isSame = kind === "response" ? isAnswer(actual, text) : matches(plain(actual), value, isPart)
  return isSame ? null : `is ${shown(actual)}, the text says ${text}`
}

/** Such as `429, Retry-After: 60`. */
function isAnswer(actual: unknown, text: string): boolean {
  if (!(actual instanceof Response)) return false
  const [, status, name, value] = /^(\d{3})(?:, ([\w-]+): (.*))?$/.exec(text) ?? []
  return actual.status === Number(status) && (name === undefined || actual.headers.get(name) === value)
}

function matches(actual: unknown, expected: unknown, isPart: boolean): boolean {
  if (typeof expected !== "object" || expected === null) return Object.is(actual, expected)
  if (typeof actual !== "object" || actual === null || Array.isArray(actual) !== Array.isArray(expected)) return false
  const names = Object.keys(expected)
  if (!isPart && names.length !== Object.keys(actual).length) return false
  return names.every((name) => matches(actual[name as never], expected[name as never], isPart))
}

/** As JSON would show it, which is how decisions become data. */
function plain(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.parse(JSON.stringify(value)) : value
}

function shown(value: unknown): string {
  if (value instanceof Response) return `${value.status} ${JSON.stringify([...value.headers])}`
  return typeof value === "function" ? "a function" : (JSON.stringify(value) ?? String(value))
}
