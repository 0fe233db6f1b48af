import { inParallel } from "../lib/in-parallel.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import type { Policy } from "../policy/policy.js"
import { StoreUnavailable } from "../types/errors.js"

/** So many limits are asked for at a time. */
const MAX_CALLS = 8

/** Policies by the names of their limits; `null` where there is to be no limit, or was none. */
export type Policies = ReadonlyMap<string, Policy | null>

/** The policies that limits have under these names. */
export async function policiesOf(limits: Pick<NamedLimits, "limit">, names: Iterable<string>): Promise<Policies> {
  const find = async (name: string) => [name, (await limits.limit(name))?.policy ?? null] as const
  return new Map(await inParallel([...names], MAX_CALLS, find))
}

/**
 * Begins with all changes before anything else can be asked, so that limits which decide when they are called have all
 * of them at once.
 *
 * @returns resolves when all are as durable as the limits promise
 * @throws what the first that failed threw, once none is under way
 */
export async function changePolicies(
  limits: Pick<NamedLimits, "define" | "remove">,
  policies: Policies,
): Promise<void> {
  const changes = [...policies].map(async ([name, policy]) => {
    await (policy === null ? limits.remove(name) : limits.define(name, policy))
  })
  await Promise.allSettled(changes)
  await Promise.all(changes)
}

/** What a reload failed of, whose changes could not be undone. */
export function notUndone(cause: unknown): StoreUnavailable {
  const why = cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause)
  return new StoreUnavailable(
    `a reload failed (${why}) and could not be undone, so that limits may have policies of either configuration`,
    { cause },
  )
}
