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
 * @property {boolean} needsPeers whether the packages of bench/package.json must be installed
 * @property {readonly string[]} requires built files without which it cannot run
 */

const varsOf = (policy, options) => ({ POLICY: policy, OPTIONS: JSON.stringify(options) })

/** sluice under some options of its limiter. @returns {Contender} */
function sluice(name, label, options) {
  return {
    name,
    label,
    source: join(SOURCES, "sluice.ts"),
    object: { binding: "LIMITER", className: "BenchmarkedLimiterObject" },
    vars: varsOf("1000000/second", options),
    expectedStatus: 200,
    answersRows: true,
    requires: SLUICE_MODULES,
    needsPeers: false,
  }
}

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
    needsPeers: false,
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
    needsPeers: false,
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
    needsPeers: false,
  },
  {
    name: "hono-store",
    label: "(p) hono-rate-limiter, its object",
    source: join(SOURCES, "hono-store.ts"),
    object: { binding: "COUNTER", className: "DurableObjectRateLimiter" },
    vars: {},
    expectedStatus: 200,
    answersRows: false,
    requires: [],
    needsPeers: true,
  },
  sluice("sluice", "(d) sluice, always, admitted", {}),
  sluice("sluice-ahead", "(e) sluice, ahead", { sync: "ahead" }),
  sluice("sluice-batch", "(f) sluice, batch", { sync: "batch" }),
  sluice("sluice-leased", "(g) sluice, leases", { lease: {} }),
  sluice("sluice-sharded", "(h) sluice, 64 shards", { shards: 64 }),
  sluice("sluice-sharded-ahead", "(i) sluice, 64 shards, ahead", { shards: 64, sync: "ahead" }),
  { ...sluice("sluice-denied", "(j) sluice, denied", {}), vars: varsOf("1/day", {}), expectedStatus: 429 },
]

/** Why a contender cannot run, or `null` where it can. */
export function whyMissing(contender) {
  const missing = contender.requires.filter((path) => !existsSync(path))
  if (missing.length === 0) return null
  return `skipped: ${missing.map((path) => relative(ROOT, path)).join(" and ")} not built`
}
