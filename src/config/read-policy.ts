import { parsePolicy, parsePolicyWith } from "../policy/parse-policy.js"
import type { Policy, PolicyInput } from "../policy/policy.js"
import type { Algorithm } from "../types/algorithm.js"
import { PolicyError } from "../types/errors.js"
import { asConfigError } from "./config-error.js"

/**
 * Reads a policy. A rule that names no algorithm gets the default one; the only rule of a policy, where it is called
 * "default", as one without a name is, the name of its limit.
 *
 * @param path what an error calls it
 * @throws {ConfigError}
 */
export function readPolicy(path: string, input: unknown, limitName: string, algorithm: Algorithm): Policy {
  try {
    const policy = parsePolicyWith(input as PolicyInput, algorithm)
    if (policy.name !== "default") return policy
    return parsePolicy({ ...JSON.parse(policy.canonical)[0], name: limitName })
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw asConfigError(error, fieldOf(path, error.field))
  }
}

/** What an error calls a field of a policy. */
function fieldOf(path: string, field: string): string {
  if (field === "policy" || field === "rule") return path
  // A field that there is not, as tables say it.
  if (field === "field") return `a field of ${path}`
  return field.endsWith(".field") ? `a field of ${path}.${field.slice(0, -".field".length)}` : `${path}.${field}`
}
