import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy, PolicyInput } from "../policy/policy.js"
import { ALGORITHMS } from "../types/algorithm.js"
import { PolicyError } from "../types/errors.js"
import { ConfigError } from "./config-error.js"

/**
 * Reads a policy. A rule that names no algorithm gets the default one; the only rule of a policy, where it has no name,
 * that of its limit.
 *
 * @param path what an error calls it
 * @throws {ConfigError}
 */
export function readPolicy(path: string, input: unknown, limitName: string, algorithm: string): Policy {
  try {
    const policy = parsePolicy(withAlgorithm(input, algorithm) as PolicyInput)
    if (policy.name !== "default") return policy
    return parsePolicy({ ...JSON.parse(policy.canonical)[0], name: limitName })
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    const isWhole = error.field === "policy" || error.field === "rule"
    throw new ConfigError(isWhole ? path : `${path}.${error.field}`, error.value, error.allowed)
  }
}

const ALGORITHM_WORDS: readonly string[] = [...ALGORITHMS, "fixed_window_counter", "sliding_window_counter"]

function withAlgorithm(input: unknown, algorithm: string): unknown {
  // Without a word for it, a rule is a gcra already.
  if (algorithm === "gcra") return input
  if (typeof input === "string") {
    if (/^\s*[[{]/.test(input)) return input
    return input
      .split(/[;,]/)
      .map((rule) => (rule.split(/\s+/).some((word) => ALGORITHM_WORDS.includes(word)) ? rule : `${rule} ${algorithm}`))
      .join(";")
  }
  if (Array.isArray(input)) return input.map((rule) => withAlgorithm(rule, algorithm))
  if (typeof input === "object" && input !== null && !("algorithm" in input) && !("canonical" in input)) {
    return { ...input, algorithm }
  }
  return input
}
