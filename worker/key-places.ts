import type { Policy } from "../src/policy/policy.js"
import { type EdgeLimiterOptions, requireOwner } from "./edge-limiter-options.js"
import { objectLimitName } from "./object-limit-name.js"
import { keyObjectName, ownerObjectName, shardObjectName, shardOf } from "./object-name.js"
import type { Subject, SubjectText } from "./subject.js"

/** Parts a tenant, a limit's name and a policy's own limit, of which none has a tab as it is written. */
const MARK = "\t"

/** Which definition of the limit a policy is of, where they are counted. */
export const VERSION = Symbol("version")

/** Options with what only the API knows of a limit. No other caller can say it. */
export interface VersionedOptions extends EdgeLimiterOptions {
  readonly [VERSION]?: number | undefined
}

/**
 * Where the keys of a limit are: the object of each, what it is told there, and under which name a denial is
 * remembered.
 */
export class KeyPlaces {
  readonly #name: string
  readonly #shards: number | undefined
  readonly #owner: EdgeLimiterOptions["owner"]
  /** What the limit is called in an object of many keys, where it may not be the only one. */
  readonly #limit: string | undefined
  readonly #subject: Omit<Subject, "key">
  /** What is the same for all checks, as they send it. */
  readonly subjectText: SubjectText
  /** What names of objects are unique in. */
  readonly scope: string

  constructor(policy: Policy, options: VersionedOptions) {
    const { name, tenant, shards, owner, sync, jurisdiction, [VERSION]: version } = options
    const ownName = name ?? objectLimitName(policy) ?? policy.canonical
    // Policies that are in force at the same time would take each other's place. The one that a limit has for everybody
    // is where it is without the others, so that it keeps its counts when they come.
    const limitName = policy.limitName === ownName ? undefined : policy.limitName
    const holdsMany = owner !== undefined || shards !== undefined
    this.#name = placeName(tenant, ownName, holdsMany ? undefined : limitName)
    this.#shards = shards
    this.#owner = owner
    // An object of many keys has as many limits as policies are in force at a time.
    if (owner !== undefined) this.#limit = limitName === undefined ? this.#name : `${this.#name}\n${limitName}`
    else if (shards !== undefined) this.#limit = limitName
    this.#subject = {
      policy: policy.canonical,
      ...(version !== undefined && { version }),
      ...(this.#limit !== undefined && { limit: this.#limit }),
      ...(sync !== undefined && { sync }),
    }
    this.subjectText = JSON.stringify(this.#subject)
    this.scope = `${jurisdiction ?? ""}\n`
  }

  /** The same for limiters that have the same objects, if they ask the same namespace for them. */
  get name(): string {
    return `${this.scope}${this.#name}\n${this.#limit ?? ""}`
  }

  /** The name of a key's object. @throws {RangeError} where the owner of the key is none */
  objectOf(key: string): string {
    if (this.#shards !== undefined) return shardObjectName(this.#name, shardOf(key, this.#shards), this.#shards)
    if (this.#owner === undefined) return keyObjectName(this.#name, key)
    return ownerObjectName(typeof this.#owner === "string" ? this.#owner : requireOwner(key, this.#owner(key)))
  }

  subjectOf(key: string): Subject {
    return { key, ...this.#subject }
  }

  /** The same for the same key of the same limit in the same objects. */
  cacheName(key: string): string {
    if (this.#shards === undefined && this.#owner === undefined) return `${this.scope}${this.#name}\n${key}`
    // An owner, a limit and a key may each hold whatever would part them, so their lengths do.
    const [object, limit] = [this.objectOf(key), this.#limit ?? ""]
    return `${this.scope}\n${object.length} ${limit.length}\n${object}${limit}${key}`
  }
}

/** No two are alike: with a limit there are two marks, also where there is no tenant. */
function placeName(tenant: string | undefined, name: string, limit: string | undefined): string {
  const own = limit === undefined ? name : `${name}${MARK}${encodeURIComponent(limit)}`
  if (tenant !== undefined) return `${encodeURIComponent(tenant)}${MARK}${own}`
  return limit === undefined ? own : `${MARK}${own}`
}
