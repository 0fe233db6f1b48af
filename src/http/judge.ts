import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { type AccessLists, listedDecision } from "./access.js"
import { asChosen } from "./chosen-policy.js"
import {
  type BadCost,
  type Decided,
  type DecideOptions,
  decide,
  decideByFailMode,
  type KnownLimitQuestion,
} from "./decide.js"
import type { Hooks } from "./hooks.js"
import type { KeyExtractor } from "./keys/key-extractor.js"
import { limiterKey, UNIDENTIFIED_KEY } from "./keys/limiter-key.js"
import type { LimiterSource, LimitOptions, PolicySource } from "./limit-options.js"
import type { LimitQuestion } from "./unasked.js"

/** What came of a request's check. */
export type Verdict =
  | Decided
  | { readonly badCost: BadCost }
  | { readonly listed: "allow" }
  | { readonly listed: "deny"; readonly decision: Decision }

/** A limit's options that bear on a decision, all of them present. */
export interface JudgedLimit<Rest extends unknown[]> {
  readonly policy: Policy | PolicySource<Rest>
  readonly key: KeyExtractor<Rest>
  readonly cost: NonNullable<LimitOptions<Rest>["cost"]>
  /** What the limit is called beside its policy. */
  readonly name: string
  /** Gives a policy without a name the limit's. */
  readonly named: (policy: Policy) => Policy
}

/** The options that bear on a decision, all of them present. */
export interface JudgeOptions<Rest extends unknown[]> extends Omit<DecideOptions, "limiterOf"> {
  readonly limits: readonly JudgedLimit<Rest>[]
  readonly access: AccessLists
  readonly limiter: LimiterSource<Rest>
}

/** What a decision tells whose cost a function would have told, which was not asked. */
const UNKNOWN_COST = 1

/** Decides on a request: looks at the lists, finds policies, keys and costs, and asks. */
export async function judge<Rest extends unknown[]>(
  options: JudgeOptions<Rest>,
  hooks: Hooks<Rest>,
  request: Request,
  rest: Rest,
): Promise<Verdict> {
  const { limits, access, limiter } = options
  const asks: LimitQuestion[] = limits.map(({ policy, key, cost, name }) => ({
    policy: undefined,
    key: key.unidentified ?? UNIDENTIFIED_KEY,
    // A function is not called for who is on a list: it may read the whole request, and fail.
    cost: typeof cost === "number" ? cost : UNKNOWN_COST,
    limit: typeof policy === "function" ? name : undefined,
  }))
  const complete: KnownLimitQuestion[] = []
  const decideOptions = { ...options, limiterOf: (policy: Policy) => limiter(policy, ...rest) }
  try {
    const byAddress = access.byAddress(request, rest)
    for (const [index, { key }] of limits.entries()) asks[index]!.key = await keyOf(key, hooks, request, rest)
    const byKey = await access.byKeys(asks.map(({ key }) => key))
    if (byAddress === "deny" || byKey.includes("deny")) {
      const { key, cost } = asks[Math.max(0, byKey.indexOf("deny"))]!
      return { listed: "deny", decision: listedDecision("deny", undefined, key, cost) }
    }
    if (byAddress === "allow" || byKey.includes("allow")) return { listed: "allow" }

    for (const [index, { policy, cost, named }] of limits.entries()) {
      const ask = asks[index]!
      const found = typeof policy === "function" ? asChosen(named(parsePolicy(await policy(request, ...rest)))) : policy
      ask.policy = found
      if (typeof cost !== "number") ask.cost = await cost(request, ...rest)
      complete.push({ ...ask, policy: found })
    }
  } catch (error) {
    hooks.outage(error)
    return decideByFailMode(asks, decideOptions, hooks)
  }
  return decide(complete, decideOptions, hooks)
}

/** A key that cannot be had is no way out of a limit: whoever brings it about shares the key of those who show none. */
async function keyOf<Rest extends unknown[]>(
  extract: KeyExtractor<Rest>,
  hooks: Hooks<Rest>,
  request: Request,
  rest: Rest,
): Promise<string> {
  try {
    return await limiterKey(await extract(request, ...rest), extract.unidentified)
  } catch (error) {
    hooks.keyFailure(error)
    return limiterKey(undefined, extract.unidentified)
  }
}
