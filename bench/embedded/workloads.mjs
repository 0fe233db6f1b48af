/** Who asks with how many callers at once, each of whom waits for its answer. */
export const CELLS = [
  ...[1, 64].flatMap((callers) =>
    [
      "commit-per-check",
      "sluice-always",
      "sluice-ahead",
      "sluice-batch",
      "rate-limiter-flexible-sqlite",
      "rate-limiter-flexible-redis",
    ].map((contender) => ({ contender, callers })),
  ),
  ...["commit-per-check", "sluice-always", "sluice-ahead", "sluice-batch"].map((contender) => ({
    contender,
    callers: 1_024,
  })),
]

/** The lives of a store: how many records, of how many keys, and how many limits are defined at the end. */
export const LIVES = [
  { records: 10_000, keys: 1_000, definitions: 10_000 },
  { records: 1_000_000, keys: 1_000, definitions: 0 },
]

/** Compactions beside checks, by how many keys are held. */
export const COMPACTIONS = [{ compactedKeys: 100_000 }]

/** Ratios of checks a second within a round, and what they are to reach. */
export const RATIOS = [
  { of: "sluice-always", to: "commit-per-check", callers: 1, goal: 0.8 },
  { of: "sluice-always", to: "commit-per-check", callers: 64, goal: 30 },
  { of: "sluice-always", to: "commit-per-check", callers: 1_024, goal: 100 },
  { of: "sluice-always", to: "rate-limiter-flexible-sqlite", callers: 64, goal: 1 },
  { of: "sluice-always", to: "rate-limiter-flexible-redis", callers: 64, goal: 1.2 },
]

/** What a store's life is to keep, by the fields of programs/life.mjs. */
export const LIFE_GOALS = [
  { records: 10_000, field: "bytesPerCheck", text: "bytes of log a check", atMost: 16 },
  { records: 10_000, field: "openMs", text: "ms to open 10,000 records", atMost: 5 },
  { records: 10_000, field: "compactMs", text: "ms to compact 10,000 records", atMost: 10 },
  { records: 10_000, field: "definedMs", text: "ms to define 10,000 limits", atMost: 100 },
  { records: 1_000_000, field: "openMs", text: "ms to open 1,000,000 records", atMost: 500 },
  { records: 1_000_000, field: "compactMs", text: "ms to compact 1,000,000 records", atMost: null },
]

/** What a compaction is to keep while a check is under way all the time, by the fields of programs/compaction.mjs. */
export const COMPACTION_GOALS = [
  { field: "compactMs", text: "ms to compact 100,000 keys beside checks", atMost: null },
  { field: "turnMs", text: "ms of its turns, median", atMost: 1 },
  { field: "longestTurnMs", text: "ms of its longest turn", atMost: null },
  { field: "commitMs", text: "ms of a commit without it, median", atMost: null },
  { field: "checkMs", text: "ms of a check meanwhile, median", atMost: null },
  { field: "longestCheckMs", text: "ms of the longest check meanwhile", atMost: null },
]

/** Checks a second that `batch` is to reach with 64 callers. */
export const BATCH_GOAL = 1_000_000
