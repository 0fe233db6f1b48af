import { PolicyError } from "../../src/types/errors.js"

/** The `PolicyError` that `act` throws; anything else it does fails the test. */
export function policyErrorOf(act: () => unknown): PolicyError {
  try {
    act()
  } catch (error) {
    if (error instanceof PolicyError) return error
    throw error
  }
  throw new Error("expected a PolicyError, but nothing was thrown")
}
