import { inParallel } from "../../src/lib/in-parallel.js"
import { ownError } from "../object-calls.js"
import { shardOf } from "../object-name.js"
import type { EventHubObject } from "./event-hub-object.js"
import type { RegistryObject } from "./registry-object.js"

/** What the API of the Worker needs bound. */
export interface RegistryEnv {
  readonly REGISTRY: DurableObjectNamespace<RegistryObject>
  readonly EVENT_HUB: DurableObjectNamespace<EventHubObject>
}

export const LIMIT_SHARDS = 16
export const KEY_SHARDS = 64
/** How many shards one question asks at a time. */
const MAX_CALLS = 8

/**
 * The objects that hold what is told of limits and keys, each found by a hash. What a call to one throws is of our own
 * classes: `StoreUnavailable` where the object did not answer.
 */
export class Registry {
  readonly #env: RegistryEnv

  constructor(env: RegistryEnv) {
    this.#env = env
  }

  limitShard(shard: number) {
    return withOwnErrors(this.#env.REGISTRY.getByName(`limits ${shard}`))
  }

  ofLimit(name: string) {
    return this.limitShard(shardOf(name, LIMIT_SHARDS))
  }

  keyShard(shard: number) {
    return withOwnErrors(this.#env.REGISTRY.getByName(`keys ${shard}`))
  }

  ofKey(key: string) {
    return this.keyShard(shardOf(key, KEY_SHARDS))
  }

  get hub() {
    return withOwnErrors(this.#env.EVENT_HUB.getByName("events"))
  }

  /** Asks every shard of the limits, some at a time. */
  async fromLimits<T>(ask: (shard: ReturnType<Registry["limitShard"]>) => Promise<T>): Promise<readonly T[]> {
    return inParallel([...Array(LIMIT_SHARDS).keys()], MAX_CALLS, (shard) => ask(this.limitShard(shard)))
  }

  /** Asks every shard of the keys, some at a time. */
  async fromKeys<T>(ask: (shard: ReturnType<Registry["keyShard"]>) => Promise<T>): Promise<readonly T[]> {
    return inParallel([...Array(KEY_SHARDS).keys()], MAX_CALLS, (shard) => ask(this.keyShard(shard)))
  }

  /**
   * Forgets a scope in every shard of the keys, some at a time, also where one of them does not answer.
   *
   * @throws what the first that failed threw, when all have been asked
   */
  async forget(scope: string): Promise<void> {
    const outcomes = await this.fromKeys((shard) => Promise.allSettled([shard.forget(scope)]))
    const failed = outcomes.flat().find((outcome) => outcome.status === "rejected")
    if (failed !== undefined) throw failed.reason
  }
}

/** The verbs of a stub alone. */
type Verbs<Stub> = Omit<Stub, Exclude<keyof DurableObjectStub, "fetch">>

function withOwnErrors<Stub extends object>(stub: Stub): Verbs<Stub> {
  return new Proxy(stub as Record<string | symbol, (...args: unknown[]) => Promise<unknown>>, {
    get(verbs, verb) {
      // A promise asks what it resolves to whether that is one.
      if (verb === "then") return undefined
      return async (...args: unknown[]) => {
        try {
          return await verbs[verb]!(...args)
        } catch (error) {
          throw ownError(error)
        }
      }
    },
  }) as Verbs<Stub>
}
