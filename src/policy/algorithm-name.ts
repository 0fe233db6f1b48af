import { nearestNameHint } from "../lib/nearest-name.js"
import { ALGORITHMS, type Algorithm } from "../types/algorithm.js"
import { PolicyError } from "../types/errors.js"

/** Every name that is accepted on input, aliases last, with the algorithm it means. */
const ALGORITHM_BY_NAME: ReadonlyMap<unknown, Algorithm> = new Map<string, Algorithm>([
  ...ALGORITHMS.map((algorithm) => [algorithm, algorithm] as const),
  ["fixed_window_counter", "fixed_window"],
  ["sliding_window_counter", "sliding_window"],
])

/** The names that `parseAlgorithmName` accepts. */
export const ALGORITHM_NAMES = [...ALGORITHM_BY_NAME.keys()] as readonly string[]

/**
 * The algorithm of that name or alias.
 *
 * @throws {PolicyError} where there is none; it lists the algorithms and suggests the nearest
 */
export function parseAlgorithmName(field: string, input: unknown): Algorithm {
  const algorithm = ALGORITHM_BY_NAME.get(input)
  if (algorithm !== undefined) return algorithm
  throw new PolicyError(field, input, `one of ${ALGORITHMS.join(", ")}${nearestNameHint(input, ALGORITHM_NAMES)}`)
}
