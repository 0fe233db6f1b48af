import type { HeaderStyle } from "../http/rate-limit-fields.js"
import type { FailMode } from "../http/rate-limit-options.js"
import type { Policy } from "../policy/policy.js"
import type { KeySetting } from "./key-setting.js"

/** A limit of a configuration. */
export interface LimitConfig {
  readonly name: string
  readonly policy: Policy
  /** The path prefixes that it protects in the deployable Worker; empty where none were given. */
  readonly paths: readonly string[]
  readonly key: KeySetting
  readonly cost: number
  readonly failMode: FailMode
  readonly timeoutMs: number
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
