import type { FailMode } from "../http/limit-options.js"
import type { HeaderStyle } from "../http/rate-limit-fields.js"
import type { Policy } from "../policy/policy.js"
import type { KeySetting } from "./key-setting.js"

/** What is said of the requests that a limit or a group protects. */
export interface RequestsConfig {
  /** The path prefixes that it protects in the deployable Worker; empty where none were given. */
  readonly paths: readonly string[]
  /** Clients that are not limited, those that every limit allows included. */
  readonly allow: AccessConfig
  /** Clients that are refused, those that every limit denies included. */
  readonly deny: AccessConfig
  /** What some responses cost on top; `null` where none does. */
  readonly penalty: { readonly status: readonly number[]; readonly units: number } | null
  /** The longest time that an admitted request is held, in ms; `null` where none is. */
  readonly maxDelayMs: number | null
  readonly failMode: FailMode
  readonly timeoutMs: number
}

/** Clients by address or network, and by key, without the prefix. */
export interface AccessConfig {
  readonly addresses: readonly string[]
  readonly keys: readonly string[]
}

/** A limit of a configuration. */
export interface LimitConfig extends RequestsConfig {
  readonly name: string
  readonly policy: Policy
  readonly key: KeySetting
  readonly cost: number
}

/** Several limits that decide on one request together. */
export interface GroupConfig extends RequestsConfig {
  readonly name: string
  /** At least one, in their order. Of each its policy, key and cost count. */
  readonly limits: readonly LimitConfig[]
}

/** A customer: its plan, and policies of its own, by the limit's name. */
export interface TenantConfig {
  /** `null` where it is on no plan. */
  readonly tier: string | null
  readonly limits: ReadonlyMap<string, Policy>
}

/** Which decisions are told to listeners, and for how long they are kept for those who come late. */
export interface AnalyticsConfig {
  readonly enabled: boolean
  /** The share of decisions that are told, 0 … 1. */
  readonly sampleRate: number
  readonly retentionMs: number
}

/** What is written to the log. */
export interface LoggingConfig {
  readonly level: "silent" | "error" | "info"
  /** Which decisions, at the level `"info"`. */
  readonly decisions: "denied" | "all"
  readonly format: "text" | "json"
}

/** A configuration as it was read: every default filled in, every policy parsed. */
export interface Config {
  /** Stands before every key; may be empty. */
  readonly keyPrefix: string
  readonly limits: ReadonlyMap<string, LimitConfig>
  /** By a name that no limit has. */
  readonly groups: ReadonlyMap<string, GroupConfig>
  /** Clients that no limit counts, be it one that was defined since. */
  readonly allow: AccessConfig
  /** Clients that every limit refuses, be it one that was defined since. */
  readonly deny: AccessConfig
  /** The policies of each plan, by the limit's name. */
  readonly tiers: ReadonlyMap<string, ReadonlyMap<string, Policy>>
  readonly tenants: ReadonlyMap<string, TenantConfig>
  readonly headers: {
    /** `false` is none. */
    readonly styles: readonly HeaderStyle[] | false
    readonly legacyReset: "epoch" | "delta"
    readonly quotaUnit: string | null
  }
  readonly failure: { readonly mode: FailMode; readonly timeoutMs: number; readonly status: 429 | 503 }
  /** `null` where there is none. */
  readonly jitter: { readonly maxSeconds: number } | null
  readonly analytics: AnalyticsConfig
  readonly logging: LoggingConfig
  /** Where the deployable Worker sends requests; `null` for its echo. */
  readonly upstream: string | null
}
