import { beforeAll, describe, expect, test } from "vitest"
import { bundleRunner, runCommand } from "../conformance/run-in-runtime.js"

const LONGEST_RUN_MS = 60_000

interface Told {
  readonly status: number
  readonly type: string | null
  readonly length: string | null
  readonly own: string | null
  readonly body: string
  /** How many items its RateLimit has. */
  readonly limits: number
}
interface Report {
  readonly runtime: string
  readonly bodies: Readonly<Record<string, Readonly<Record<"bare" | "limited" | "mounted", readonly Told[]>>>>
  readonly hono: readonly Told[]
  readonly refused: readonly Told[]
  readonly part: Readonly<Record<"bare" | "limited", readonly Told[]>>
  readonly head: Readonly<Record<"bare" | "limited", readonly Told[]>>
}

describe("rateLimit() behind Bun.serve", () => {
  const TEXT = "text/plain;charset=utf-8"
  let report: Report

  beforeAll(async () => {
    report = JSON.parse(await runCommand("bun", ["run", await bundleRunner("served")]))
  }, LONGEST_RUN_MS)

  test("keeps the type of content that Bun gives a text as it sends it, one of Hono too", () => {
    expect(report.runtime).toMatch(/^Bun 1\./)
    expect(report.bodies["text"]?.limited.map(({ type }) => type)).toEqual([TEXT, TEXT])
    expect(report.hono.map(({ type, body, limits }) => [type, body, limits])).toEqual([
      [TEXT, "hello", 1],
      [TEXT, "hello", 1],
    ])
  })

  test.each(["accentedText", "wideText"])("keeps that of a text that is not ASCII: %s", (kind) => {
    const { limited, mounted } = report.bodies[kind]!
    expect([...limited, ...mounted].map(({ type }) => type)).toEqual([TEXT, TEXT, TEXT, TEXT])
  })

  test("has a part of a file sent as Bun sends it with any field of its own, with 200", () => {
    expect(report.part.limited).toEqual(report.part.bare.map((told) => ({ ...told, own: null, limits: 1 })))
    expect(report.part.limited.map(({ status, length }) => [status, length])).toEqual([
      [200, "3"],
      [200, "3"],
    ])
  })

  test("keeps that of a refusal of one's own", () => {
    expect(report.refused.map(({ status, type, body }) => [status, type, body])).toEqual([
      [200, TEXT, "hello"],
      [429, TEXT, "slow down"],
    ])
  })

  test("changes nothing of any kind of body but the fields, behind one limit or two", () => {
    const kinds = Object.entries(report.bodies)
    expect(kinds).toHaveLength(13)
    for (const [kind, { bare, limited, mounted }] of kinds) {
      expect(limited, kind).toEqual(bare.map((told) => ({ ...told, limits: 1 })))
      expect(mounted, `${kind}, mounted`).toEqual(bare.map((told) => ({ ...told, limits: 2 })))
    }
  })

  test("changes nothing of an answer to HEAD but the fields", () => {
    expect(report.head.limited).toEqual(report.head.bare.map((told) => ({ ...told, limits: 1 })))
  })
})
