import { join } from "node:path"
import { pathToFileURL } from "node:url"

/**
 * @typedef {object} Contender
 * @property {string} name that of its module in contenders/, as `--only` shows it
 * @property {string} label what it is, as tables show it
 * @property {"sluice" | "peer" | "reference" | "baseline"} kind goals compare sluice with the fastest peer
 * @property {string | null} package the npm package it measures
 * @property {boolean} remembers whether its memory per key is measured; not for a second verb of the same limiter
 * @property {(group: import("./workloads.mjs").Group) => string | null} cannot why it has no figure in a group
 */

const canAll = () => null

function pThrottleCannot(group) {
  if (!group.admits) return "it queues a call over the limit instead of denying it"
  return group.keys > 100_000 ? "a key is a closure of 1.5 KB that takes 10 to 20 µs to make" : null
}

/** All contenders, in the order in which each round runs them. @type {readonly Contender[]} */
export const CONTENDERS = [
  ["sluice-check", "sluice check, turnClock", "sluice", null, true],
  ["sluice-check-system-clock", "sluice check, default clock", "sluice", null, false],
  ["sluice-allow", "sluice allow, turnClock", "sluice", null, false],
  ["sluice-check-many", "sluice checkMany, 256 keys a call", "sluice", null, false],
  ["rate-limiter-flexible", "rate-limiter-flexible, memory, consume", "peer", "rate-limiter-flexible", true],
  ["express-rate-limit", "express-rate-limit, MemoryStore", "peer", "express-rate-limit", true],
  ["hono-rate-limiter", "hono-rate-limiter, MemoryStore, not awaited", "peer", "hono-rate-limiter", true],
  ["hono-rate-limiter-awaited", "hono-rate-limiter, MemoryStore, awaited", "peer", "hono-rate-limiter", false],
  ["limiter-token-bucket", "limiter, TokenBucket in a Map", "peer", "limiter", true],
  ["limiter-rate-limiter", "limiter, RateLimiter in a Map", "peer", "limiter", true],
  ["p-throttle", "p-throttle, a function each in a Map", "peer", "p-throttle", false, pThrottleCannot],
  ["map-gcra", "hand-written GCRA, Map<string, number>", "peer", null, true],
  ["typed-array-gcra", "hand-written GCRA, typed-array table", "reference", null, true],
  ["build", "(building the string only)", "baseline", null, false],
].map(([name, label, kind, npm, remembers, cannot = canAll]) => ({
  name,
  label,
  kind,
  package: npm,
  remembers,
  cannot,
}))

/** The contender that a verb's goals are about. */
export const CONTENDER_OF_VERB = /** @type {const} */ ({ check: "sluice-check", checkMany: "sluice-check-many" })

/** Where the module of a contender lies. */
export const moduleOf = (name) => pathToFileURL(join(import.meta.dirname, "contenders", `${name}.mjs`)).href

/**
 * Why contenders cannot run at all, by name.
 *
 * @param {readonly Contender[]} contenders
 * @param {{ index: string } | null} build
 * @param {string} dist where the build was looked for
 * @returns {Promise<Map<string, string>>}
 */
export async function findMissing(contenders, build, dist) {
  const missing = new Map()
  const own = contenders.filter(({ kind }) => kind === "sluice")
  if (build === null) {
    for (const { name } of own) missing.set(name, `skipped: ${dist} holds no build, run npm run build`)
  } else if (own.length > 0) {
    const { RateLimiter } = await import(build.index)
    if (typeof RateLimiter.prototype.checkMany !== "function") {
      missing.set("sluice-check-many", "skipped: this RateLimiter has no checkMany")
    }
  }
  return missing
}
