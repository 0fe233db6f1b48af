/**
 * @typedef {object} Phase what is measured of a filled limiter
 * @property {string} name
 * @property {string} label
 * @property {"one" | "ten-thousand" | "uniform" | "zipf"} draws which keys come
 * @property {boolean} cached whether the same string object comes each time, else a new one
 */

/**
 * @typedef {object} Group phases that share one process and one filled limiter
 * @property {string} name as `--groups` shows it
 * @property {number} keys how many there are; each is checked once before anything is measured
 * @property {number} limit units per `PERIOD_MS`
 * @property {number} burst most units at once, and the limit of those that know windows only
 * @property {boolean} admits whether the measured checks are admitted; else they are denied
 * @property {readonly Phase[]} phases
 */

/**
 * So long that nothing expires while it is measured, and yet within what every peer's timer can hold (2^31 − 1 ms).
 */
export const PERIOD_MS = 20 * 24 * 3600 * 1000
/** A unit takes 29 minutes to come back: no key is idle, and so dropped, while a table is filled and measured. */
const SLOW_LIMIT = 1000
/** What the keys of the memory and growth probes are checked under. */
export const PROBE_POLICY = { limit: SLOW_LIMIT, burst: SLOW_LIMIT, periodMs: PERIOD_MS }

/** @type {readonly Group[]} */
export const GROUPS = [
  {
    name: "hot",
    keys: 1,
    limit: 1e9,
    burst: 1e9,
    admits: true,
    phases: [
      { name: "hot-cached", label: "1 key, same string", draws: "one", cached: true },
      { name: "hot", label: "1 key, fresh", draws: "one", cached: false },
    ],
  },
  {
    name: "hot-denied",
    keys: 1,
    limit: SLOW_LIMIT,
    burst: 1,
    admits: false,
    phases: [{ name: "hot-denied", label: "1 key, fresh, denied", draws: "one", cached: false }],
  },
  {
    name: "ten-thousand",
    keys: 10_000,
    limit: SLOW_LIMIT,
    burst: 1e7,
    admits: true,
    phases: [
      { name: "ten-thousand-cached", label: "10,000, cached", draws: "ten-thousand", cached: true },
      { name: "ten-thousand", label: "10,000, fresh", draws: "ten-thousand", cached: false },
    ],
  },
  {
    name: "million",
    keys: 1_000_000,
    limit: SLOW_LIMIT,
    burst: 1e7,
    admits: true,
    phases: [
      { name: "uniform", label: "1M uniform, fresh", draws: "uniform", cached: false },
      { name: "zipf", label: "1M Zipf, fresh", draws: "zipf", cached: false },
      { name: "uniform-cached", label: "1M uniform, cached", draws: "uniform", cached: true },
    ],
  },
  {
    name: "million-denied",
    keys: 1_000_000,
    limit: SLOW_LIMIT,
    burst: 1,
    admits: false,
    phases: [{ name: "uniform-denied", label: "1M uniform, fresh, denied", draws: "uniform", cached: false }],
  },
]

/** The table's sections: phases side by side. */
export const SECTIONS = [["hot"], ["hot-denied", "ten-thousand"], ["million"], ["million-denied"]]

/** How many times as fast as the fastest peer each verb is to be. */
export const RATIO_GOALS = /** @type {const} */ ([
  { phase: "hot-cached", check: 1.2, checkMany: 1.4 },
  { phase: "hot", check: 1.4, checkMany: 3.5 },
  { phase: "ten-thousand", check: 1.6, checkMany: 4 },
  { phase: "uniform", check: 5.5, checkMany: 18 },
  { phase: "zipf", check: 4.5, checkMany: 12 },
])

/** The phase whose figure is told in memory accesses. */
export const LATENCY_PHASE = "uniform"

/** What must not be exceeded. */
export const LIMITS = /** @type {const} */ ({
  rssBytesPerKey: 40,
  memoryLatencies: 2,
  growthMs: 5,
  moduleBytes: 24 * 1024,
  instantiateMs: 1,
})

/** governor 0.10 (Rust, DashMap) on 1M uniform keys, and the memory latency of the machine it was measured on. */
export const GOVERNOR = { checkNs: 572, memoryLatencyNs: 171 }

/** Keys of the growth probe. */
export const GROWTH_KEYS = 10_000_000
/** Keys of the memory probe. */
export const MEMORY_KEYS = 1_000_000
