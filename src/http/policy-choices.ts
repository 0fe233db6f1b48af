import type { Policy } from "../policy/policy.js"

/** What some functions choose among. */
const choices = new WeakMap<object, readonly Policy[]>()

/** Notes that a function which finds the policy of a request gives only these. */
export function noteChoices(source: object, policies: readonly Policy[]): void {
  choices.set(source, policies)
}

/** The policies that a function chooses among; `undefined` where it may make up any. */
export function choicesOf(source: object): readonly Policy[] | undefined {
  return choices.get(source)
}
