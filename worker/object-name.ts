import { fnv1a } from "../src/lib/fnv1a.js"

/** No limit's name has it, so a name and a key are one text in one way. */
const SEPARATOR = "\n"

/** What the object of one key is called. */
export function keyObjectName(limit: string, key: string): string {
  return `${limit}${SEPARATOR}${key}`
}

/** What the object of one shard of a limit is called. No limit's name is empty, so that it is no key's. */
export function shardObjectName(limit: string, shard: number, shards: number): string {
  return `${SEPARATOR}shard${SEPARATOR}${limit}${SEPARATOR}${shard} of ${shards}`
}

/** What the object of all limits of an owner is called. */
export function ownerObjectName(owner: string): string {
  return `${SEPARATOR}owner${SEPARATOR}${owner}`
}

/** Whether an object of this name holds more than one key of one limit. */
export function holdsManyKeys(name: string | undefined): boolean {
  return name?.startsWith(SEPARATOR) ?? false
}

/**
 * The shard of a key: FNV-1a of its UTF-16 units with the finishing steps of MurmurHash3, so that keys that differ in
 * their last character alone part too. It never changes: a key would lose its counts.
 */
export function shardOf(key: string, shards: number): number {
  let hash = fnv1a(key)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % shards
}
