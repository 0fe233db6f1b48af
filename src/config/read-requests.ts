import { addressList } from "../http/keys/address-list.js"
import type { FailMode } from "../http/limit-options.js"
import type { AccessConfig, RequestsConfig } from "./config.js"
import { ConfigError } from "./config-error.js"

/** A list of clients, before its addresses are read. */
export type WrittenAccess = Partial<AccessConfig>

/** What is said of requests, before it is read. */
export interface WrittenRequests {
  readonly paths?: readonly string[]
  readonly allow?: WrittenAccess
  readonly deny?: WrittenAccess
  readonly penalty?: { readonly status: readonly number[]; readonly units: number }
  readonly delay?: number
  readonly fail_mode?: FailMode
  readonly timeout?: number
}

/** What limits and groups have that do not say otherwise. */
export interface RequestDefaults {
  readonly allow: AccessConfig
  readonly deny: AccessConfig
  readonly failMode: FailMode
  readonly timeoutMs: number
}

/**
 * Reads what is said of requests; its lists come after those of all limits.
 *
 * @throws {ConfigError} naming an address that is none
 */
export function readRequests(path: string, written: WrittenRequests, defaults: RequestDefaults): RequestsConfig {
  const { paths = [], allow, deny, penalty, delay, fail_mode, timeout } = written
  return {
    paths,
    allow: joined(defaults.allow, readAccess(`${path}.allow`, allow)),
    deny: joined(defaults.deny, readAccess(`${path}.deny`, deny)),
    penalty: penalty ?? null,
    maxDelayMs: delay ?? null,
    failMode: fail_mode ?? defaults.failMode,
    timeoutMs: timeout ?? defaults.timeoutMs,
  }
}

/** @throws {ConfigError} naming an address that is none */
export function readAccess(path: string, { addresses = [], keys = [] }: WrittenAccess = {}): AccessConfig {
  for (const [index, address] of addresses.entries()) {
    try {
      addressList(path, [address])
    } catch {
      const allowed = "an address, or a network such as 192.0.2.0/24 whose bits after the prefix are 0"
      throw new ConfigError(`${path}.addresses[${index}]`, address, allowed)
    }
  }
  return { addresses, keys }
}

function joined(one: AccessConfig, other: AccessConfig): AccessConfig {
  return { addresses: [...one.addresses, ...other.addresses], keys: [...one.keys, ...other.keys] }
}
