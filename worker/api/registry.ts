import { inParallel } from "../../src/limiter/in-parallel.js"
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
const MOST_CALLS = 8

/** The objects that hold what is told of limits and keys, each found by a hash. */
export class Registry {
  readonly #env: RegistryEnv

  constructor(env: RegistryEnv) {
    this.#env = env
  }

  limitShard(shard: number) {
    return this.#env.REGISTRY.getByName(`limits ${shard}`)
  }

  ofLimit(name: string) {
    return this.limitShard(shardOf(name, LIMIT_SHARDS))
  }

  keyShard(shard: number) {
    return this.#env.REGISTRY.getByName(`keys ${shard}`)
  }

  ofKey(key: string) {
    return this.keyShard(shardOf(key, KEY_SHARDS))
  }

  get hub() {
    return this.#env.EVENT_HUB.getByName("events")
  }

  /** Asks every shard of the limits, some at a time. */
  async fromLimits<T>(ask: (shard: ReturnType<Registry["limitShard"]>) => Promise<T>): Promise<readonly T[]> {
    return inParallel([...Array(LIMIT_SHARDS).keys()], MOST_CALLS, (shard) => ask(this.limitShard(shard)))
  }

  /** Asks every shard of the keys, some at a time. */
  async fromKeys<T>(ask: (shard: ReturnType<Registry["keyShard"]>) => Promise<T>): Promise<readonly T[]> {
    return inParallel([...Array(KEY_SHARDS).keys()], MOST_CALLS, (shard) => ask(this.keyShard(shard)))
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
