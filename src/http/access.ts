import { maximumCost } from "../policy/maximum-cost.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { show } from "../types/errors.js"
import { addressList } from "./keys/address-list.js"
import { type ClientAddressOptions, findClientAddress } from "./keys/client-address.js"
import { limiterKey, unhashedKey } from "./keys/limiter-key.js"

/** Clients by their address and by their key: a request is on the list where either is. */
export interface AccessList {
  /** Addresses (`192.0.2.1`) and networks in CIDR notation (`192.0.2.0/24`, `2001:db8::/32`). */
  readonly addresses?: readonly string[] | undefined
  /** Keys as the extractors give them, such as `"header:x-tenant=acme"`. */
  readonly keys?: readonly string[] | undefined
}

/** What the lists say of a request: it passes unlimited, is refused, or is not on them. */
export type Access = "allow" | "deny" | "limit"

/** The lists, ready to be asked. */
export interface AccessLists {
  /** What the lists say of a request by where it comes from. */
  byAddress(request: Request, rest: readonly unknown[]): Access
  /** What the lists say of each key that a request counts against, as `limiterKey` gives it. */
  byKeys(keys: readonly string[]): Promise<readonly Access[]>
}

/** On what a list decided. A symbol, since decisions are copied by spread on their way, and shown as JSON. */
const BY_LIST = Symbol("decided by a list")

type MarkedDecision = Decision & { readonly [BY_LIST]?: true }

/**
 * Reads an allow list and a deny list. Who is on both is refused.
 *
 * @throws {RangeError} naming the first entry that cannot be
 */
export function accessLists(
  allow: AccessList | undefined,
  deny: AccessList | undefined,
  addressOptions: ClientAddressOptions,
): AccessLists {
  const addressOf = findClientAddress(addressOptions)
  const lists = [
    { access: "deny" as const, ...readList("deny", deny) },
    { access: "allow" as const, ...readList("allow", allow) },
  ]
  const looksAtAddresses = [allow, deny].some((list) => (list?.addresses?.length ?? 0) > 0)
  return {
    byAddress(request, rest) {
      const address = looksAtAddresses ? addressOf(request, rest) : undefined
      return lists.find(({ hasAddress }) => address && hasAddress(address))?.access ?? "limit"
    },
    async byKeys(keys) {
      for (const list of lists) if (list.longKeys.length > 0) await hashLongKeys(list)
      return keys.map((key) => lists.find((list) => list.keys.has(key))?.access ?? "limit")
    },
  }
}

/**
 * The decision of a list, which counts nothing. Its policy is `"allow"` or `"deny"`, its numbers those of `policy`,
 * where that is known.
 */
export function listedDecision(
  access: "allow" | "deny",
  policy: Policy | undefined,
  key: string,
  cost: number,
): Decision {
  const allowed = access === "allow"
  const [{ algorithm, limit }] = policy?.rules ?? [{ algorithm: "gcra", limit: 0 } as const]
  const decision: MarkedDecision = {
    allowed,
    key,
    policy: access,
    algorithm,
    limit,
    remaining: allowed && policy !== undefined ? maximumCost(policy.rules) : 0,
    cost,
    retryAfterMs: 0,
    resetAfterMs: 0,
    delayMs: 0,
    reason: allowed ? "ok" : "blocked",
    [BY_LIST]: true,
  }
  return decision
}

/** Whether a list decided. What costs nothing and is admitted nobody counts, so that is not told as a list's. */
export function isListed(decision: Decision): boolean {
  const { allowed, cost, [BY_LIST]: isMarked = false } = decision as MarkedDecision
  return isMarked && (!allowed || cost > 0)
}

function readList(option: string, { addresses = [], keys = [] }: AccessList = {}) {
  for (const [index, key] of keys.entries()) {
    if (typeof key === "string" && key !== "") continue
    throw new RangeError(`Cannot rate limit: ${option}.keys[${index}] is ${show(key)}, allowed is a text, not empty.`)
  }
  const unhashed = keys.map((key) => unhashedKey(key))
  return {
    hasAddress: addressList(`${option}.addresses`, addresses),
    keys: new Set(unhashed.filter((key) => key !== undefined)),
    /** Keys whose hash is to be looked up in their place, and is not among `keys` yet. */
    longKeys: keys.filter((_, index) => unhashed[index] === undefined),
  }
}

/** Where a list is read, nothing can wait for the hashes. */
async function hashLongKeys({ keys, longKeys }: Pick<ReturnType<typeof readList>, "keys" | "longKeys">): Promise<void> {
  for (const key of await Promise.all(longKeys.map((each) => limiterKey(each)))) keys.add(key)
  // Only now: requests that came meanwhile wait for the hashes too.
  longKeys.length = 0
}
