import { existsSync } from "node:fs"
import { join, relative } from "node:path"

const ROOT = join(import.meta.dirname, "..", "..")
const SOURCES = join(import.meta.dirname, "contenders")
const SLUICE_MODULES = [
  join(ROOT, "dist", "worker", "limiter-object.js"),
  join(ROOT, "dist", "worker", "edge-limiter.js"),
]

/**
 * @typedef {object} Contender
 * @property {string} name as tables and `--only` show it
 * @property {string} label what it is
 * @property {string} source the Worker's entry
 * @property {{ binding: string, className: string } | null} object its Durable Object class
 * @property {Record<string, string>} vars its text bindings
 * @property {number} expectedStatus of every measured answer
 * @property {boolean} answersRows whether it answers `/rows`
 * @property {readonly string[]} requires built files without which it cannot run
 */

/** All contenders, in the order in which each round runs them. @type {readonly Contender[]} */
export const CONTENDERS = [
  {
    name: "plain",
    label: "(a) Worker, no limiter",
    source: join(SOURCES, "plain.ts"),
    object: null,
    vars: {},
    expectedStatus: 200,
    answersRows: false,
    requires: [],
  },
  {
    name: "memory",
    label: "(b) object, counts in memory",
    source: join(SOURCES, "memory.ts"),
    object: { binding: "COUNTER", className: "Counter" },
    vars: {},
    expectedStatus: 200,
    answersRows: false,
    requires: [],
  },
  {
    name: "insert",
    label: "(c) object, one insert a check",
    source: join(SOURCES, "insert.ts"),
    object: { binding: "COUNTER", className: "Counter" },
    vars: {},
    expectedStatus: 200,
    answersRows: false,
    requires: [],
  },
  {
    name: "sluice",
    label: "(d) sluice, admitted",
    source: join(SOURCES, "sluice.ts"),
    object: { binding: "LIMITER", className: "BenchmarkedLimiterObject" },
    vars: { POLICY: "1000000/second" },
    expectedStatus: 200,
    answersRows: true,
    requires: SLUICE_MODULES,
  },
  {
    name: "sluice-denied",
    label: "(d) sluice, denied",
    source: join(SOURCES, "sluice.ts"),
    object: { binding: "LIMITER", className: "BenchmarkedLimiterObject" },
    vars: { POLICY: "1/day" },
    expectedStatus: 429,
    answersRows: true,
    requires: SLUICE_MODULES,
  },
]

/** Why a contender cannot run, or `null` where it can. */
export function whyMissing(contender) {
  const missing = contender.requires.filter((path) => !existsSync(path))
  if (missing.length === 0) return null
  return `skipped: ${missing.map((path) => relative(ROOT, path)).join(" and ")} not built`
}
