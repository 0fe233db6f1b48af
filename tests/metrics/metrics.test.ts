import { spawnSync } from "node:child_process"
import parse from "parse-prometheus-text-format"
import { describe, expect, test } from "vitest"
import { type LimitGauge, Metrics } from "../../src/metrics/metrics.js"
import { makeDecision } from "../make-decision.js"

const HOSTILE = `<b>"\\\n\r\u0007\u001b[31m}${"\u2028"} 1\nsluice_fake 1\n`

const gauge = (over: Partial<LimitGauge>): LimitGauge => ({
  limit: "api",
  isKey: false,
  algorithm: "gcra",
  rate: 100,
  perMillis: 60_000,
  remaining: 40,
  resetAtMs: 1_700_000_000_500,
  ...over,
})

function familyOf(text: string, name: string) {
  return parse(text).find((family) => family.name === name)
}

const label = (labels: Readonly<Record<string, string>> | undefined, name: string) => labels?.[name]

/** A full text, with keys told as they are. */
function fullText(): string {
  const metrics = new Metrics({ keyLabel: (key) => key })
  metrics.decided(makeDecision({ key: HOSTILE }), HOSTILE, 0.0004)
  metrics.decided(makeDecision({ allowed: false, reason: "limit", cost: 3 }), "api", 0.02)
  metrics.decided(makeDecision({ allowed: false, reason: "cached" }), "api", 0)
  metrics.decided(makeDecision({ reason: "fail-open" }), "api", 100)
  metrics.commitSeconds.observe(0.001)
  metrics.loginRefused("wrong")
  metrics.connectionRefused()
  return metrics.render([gauge({}), gauge({ limit: HOSTILE, isKey: true })], {
    logBytes: 4096,
    liveKeys: 2,
  })
}

describe("Metrics.render()", () => {
  test("writes what a parser of the format reads back", () => {
    const text = fullText()
    const value = (name: string, labels: Record<string, string> = {}) => {
      return familyOf(text, name)?.metrics.find((metric) => {
        return Object.entries(labels).every(([label, wanted]) => metric.labels?.[label] === wanted)
      })?.value
    }
    expect(value("sluice_requests_denied_total", { limit: "api" })).toBe("2")
    expect(value("sluice_request_cost_denied_total", { limit: "api" })).toBe("4")
    expect(value("sluice_requests_allowed_total", { limit: "api" })).toBe("1")
    expect(value("sluice_limit_rate", { limit: "api" })).toBe("100")
    expect(value("sluice_denial_cache_hits_total")).toBe("1")
    expect(value("sluice_failures_total", { mode: "open" })).toBe("1")
    expect(value("sluice_logins_refused_total", { reason: "wrong" })).toBe("1")
    for (const reason of ["missing", "repeated"]) expect(value("sluice_logins_refused_total", { reason })).toBe("0")
    expect(value("sluice_connections_refused_total")).toBe("1")
    expect(value("sluice_log_size_bytes")).toBe("4096")
    expect(familyOf(text, "sluice_log_size_bytes")?.help).toContain("free pages")
    expect(value("sluice_limit_reset_at_seconds")).toBe("1700000000.5")
    const histogram = familyOf(text, "sluice_decision_duration_seconds")
    expect(histogram?.type).toBe("HISTOGRAM")
    expect(histogram?.metrics[0]).toMatchObject({ count: "4", buckets: { "0.0005": "2", "0.025": "3", "+Inf": "4" } })
  })

  test("counts no check of cost 0, by which nothing was asked for", () => {
    const metrics = new Metrics()
    metrics.decided(makeDecision({ cost: 0 }), "api", 0.1)
    expect(familyOf(metrics.render([]), "sluice_requests_allowed_total")).toBeUndefined()
    expect(metrics.decisionSeconds.count).toBe(0)
  })

  test("tells of cache hits and fail modes from 0 on at the edge, and elsewhere when the first one comes", () => {
    const valuesOf = (metrics: Metrics, name: string) => {
      return familyOf(metrics.render([]), name)?.metrics.map(({ labels, value }) => [label(labels, "mode"), value])
    }
    const [own, edge] = [new Metrics(), new Metrics({ counts: "edge" })]
    expect(valuesOf(own, "sluice_denial_cache_hits_total")).toBeUndefined()
    expect(valuesOf(own, "sluice_failures_total")).toEqual([["error", "0"]])
    own.failed(2)
    own.decided(makeDecision({ reason: "fail-closed", allowed: false }), "api", 0)
    expect(valuesOf(own, "sluice_failures_total")).toEqual([
      ["closed", "1"],
      ["error", "2"],
    ])
    expect(own.failures).toBe(3)
    edge.addAside("cached", 3)
    edge.addAside("local", 4)
    expect(valuesOf(edge, "sluice_denial_cache_hits_total")).toEqual([[undefined, "3"]])
    expect(valuesOf(edge, "sluice_failures_total")).toEqual([
      ["open", "0"],
      ["closed", "0"],
      ["local", "4"],
      ["error", "0"],
    ])
    // A denial that was remembered is none.
    expect(edge.failures).toBe(4)
    expect(edge.render([])).not.toMatch(/sluice_(commit_duration_seconds|logins_refused_total)/)
  })

  test("adds up times that were told elsewhere, and leaves out those in other buckets", () => {
    const [one, two, edge] = [new Metrics(), new Metrics(), new Metrics({ counts: "edge" })]
    for (const seconds of [0.0002, 0.02, 11]) one.decided(makeDecision({}), "api", seconds)
    two.decided(makeDecision({}), "api", 0.02)
    for (const { decisionSeconds } of [one, two]) edge.decisionSeconds.add(decisionSeconds.told())
    edge.decisionSeconds.add({ counts: [1], count: 1, sum: 1 })
    const [histogram] = familyOf(edge.render([]), "sluice_decision_duration_seconds")!.metrics
    expect(histogram).toMatchObject({ count: "4", buckets: { "0.0001": "0", "0.00025": "1", "10": "3", "+Inf": "4" } })
    expect(Number(histogram!.sum)).toBeCloseTo(11.0402, 9)
  })

  test("keeps a hostile key inside its label", () => {
    const text = fullText()
    expect(familyOf(text, "sluice_fake")).toBeUndefined()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u2028]/)
    expect(text.split("\n").every((line) => line === "" || /^(# (HELP|TYPE) sluice_|sluice_)/.test(line))).toBe(true)
  })

  test("spells out what a key has of control characters, so that no two keys share a sample", () => {
    const metrics = new Metrics({ keyLabel: (key) => key })
    const keys = ["\0", "\r", "\x7f", "\u{2028}", "\\u{0}", "\\\0", "\\", "\n", "\\n"]
    for (const key of keys) metrics.decided(makeDecision({ key, allowed: false }), "api", 0.001)
    const text = metrics.render([])
    const labels = [...text.matchAll(/^sluice_top_denied_checks\{key="(.*)"\} 1$/gm)].map(([, label]) => label!)
    // As a reader of the format reads them.
    const read = labels.map((label) =>
      label.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)),
    )
    const wanted = ["\\u{0}", "\\u{d}", "\\u{7f}", "\\u{2028}", "\\u{5c}u{0}", "\\\\u{0}", "\\", "\n", "\\n"]
    expect(read.sort()).toEqual(wanted.sort())
  })

  test("passes promtool, where it is installed", ({ skip }) => {
    const { status, error, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], {
      input: fullText(),
      encoding: "utf8",
    })
    skip(error !== undefined, "promtool is not installed")
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "" })
  })

  test("tells no key unless it is asked to, nor the state of a key's own limit", () => {
    const metrics = new Metrics()
    metrics.decided(makeDecision({ key: "alice@example.com", allowed: false }), "default", 0.001)
    const text = metrics.render([gauge({ limit: "bob@example.com", isKey: true })])
    expect(text).not.toContain("@example.com")
    expect(familyOf(text, "sluice_limit_info")).toBeUndefined()
  })

  test("tells one sample for several keys that are mapped to one label", () => {
    const metrics = new Metrics({ keyLabel: (key) => key.slice(0, 1) })
    for (const key of ["a1", "a2", "b1"]) metrics.decided(makeDecision({ key, allowed: false }), "api", 0)
    const limits = ["a1", "a2"].map((limit) => gauge({ limit, isKey: true }))
    const text = metrics.render(limits)
    expect(
      familyOf(text, "sluice_top_denied_checks")?.metrics.map(({ labels, value }) => [label(labels, "key"), value]),
    ).toEqual([
      ["a", "2"],
      ["b", "1"],
    ])
    expect(familyOf(text, "sluice_limit_rate")?.metrics).toHaveLength(1)
  })

  test("bounds the series: what is beyond counts as other", () => {
    const metrics = new Metrics({ maxSeries: 3 })
    for (let number = 0; number < 100; number++) metrics.decided(makeDecision({}), `limit-${number}`, 0)
    const family = familyOf(metrics.render([]), "sluice_requests_allowed_total")
    expect(family?.metrics.length).toBe(4)
    expect(family?.metrics.find(({ labels }) => label(labels, "limit") === "other")?.value).toBe("97")
  })
})
