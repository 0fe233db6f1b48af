/** The six algorithms, by the names that policies, headers and metrics use. */
export const ALGORITHMS = [
  "gcra",
  "token_bucket",
  "leaky_bucket",
  "fixed_window",
  "sliding_window",
  "sliding_window_log",
] as const

/** The name of an algorithm. */
export type Algorithm = (typeof ALGORITHMS)[number]
