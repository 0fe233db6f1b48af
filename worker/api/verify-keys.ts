import { inParallel } from "../../src/lib/in-parallel.js"
import { show } from "../../src/types/errors.js"
import type { LimitFinder } from "./limit-finder.js"
import { nameIn } from "./limit-scope.js"

/** What the logs of several keys say together. */
export interface KeysVerification {
  readonly ok: boolean
  readonly segments: number
  readonly records: number
  readonly problems: string[]
}

/** Keys whose logs are read at the same time. */
const MAX_VERIFIED = 8

/**
 * Has the objects of keys read their logs anew. One whose limit is not there any more is left out. A fault is told, not
 * thrown.
 */
export async function verifyKeys(
  keys: readonly { readonly scope: string; readonly key: string }[],
  finder: LimitFinder,
): Promise<KeysVerification> {
  const problems: string[] = []
  let [segments, records] = [0, 0]
  await inParallel(keys, MAX_VERIFIED, async ({ scope, key }) => {
    const limit = nameIn(scope)
    const inForce = await finder.find(limit)
    if (inForce?.scope !== scope) return
    const of = `key ${show(key)} of limit ${show(limit)}`
    try {
      const found = await inForce.limiter.verify(key)
      segments += found.segments
      records += found.records
      if (!found.replayEqualsLive) problems.push(`Replaying the log of ${of} does not give its state.`)
    } catch (error) {
      problems.push(`The log of ${of}: ${error instanceof Error ? error.message : String(error)}`)
    }
  })
  return { ok: problems.length === 0, segments, records, problems }
}
