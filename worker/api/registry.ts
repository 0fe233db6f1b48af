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

  /** Asks every shard of the limits. */
  async fromLimits<T>(ask: (shard: ReturnType<Registry["limitShard"]>) => Promise<T>): Promise<T[]> {
    return Promise.all(Array.from({ length: LIMIT_SHARDS }, (_, shard) => ask(this.limitShard(shard))))
  }

  /** Asks every shard of the keys. */
  async fromKeys<T>(ask: (shard: ReturnType<Registry["keyShard"]>) => Promise<T>): Promise<T[]> {
    return Promise.all(Array.from({ length: KEY_SHARDS }, (_, shard) => ask(this.keyShard(shard))))
  }
}
