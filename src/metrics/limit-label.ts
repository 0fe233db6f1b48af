import type { Decision } from "../types/decision.js"

/**
 * What a decision counts under in `/metrics` and the event stream: the limit that was asked by name, else the name of
 * the policy that decided. Never the key: a limit of a key's own bears the key's name, and keys are told to nobody who
 * did not ask for them.
 */
export function limitLabel({ key, policy }: Pick<Decision, "key" | "policy">, asked: string | undefined): string {
  return asked === undefined || asked === key ? policy : asked
}
