import type { Decisions } from "../../src/engine/decisions.js"
import type { Duration, PolicyInput } from "../../src/policy/policy.js"
import type { Clock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import type {
  AllDecision,
  AllOptions,
  Awaitable,
  CheckItem,
  CheckOptions,
  KeyStats,
  KeyStatus,
} from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"

/** What not every limiter can do. A runner that lacks one says why, and its cases are skipped with that reason. */
export const CAPABILITIES = {
  stats: "keeps statistics per key when made with `stats: true`",
  maxKeys: "bounds its keys by `maxKeys`, with both rules of `onFull`",
  many: "decides many checks in one call, with `checkMany`",
  together: "decides checks of several keys together, with `checkAll` and `allowAll`",
  ids: "tells an admission again that is repeated under its id",
  hears: "tells who waits at once of quota that comes back before its time",
  size: "tells how many keys it holds, and sweeps when told to",
} as const
export type Capability = keyof typeof CAPABILITIES

/** Why a limiter lacks what it lacks. */
export type Lacks = Readonly<Partial<Record<Capability, string>>>

/** The verbs of any limiter, at once or by promise. */
export interface ConformingLimiter {
  check(key: string, options?: CheckOptions): Awaitable<Decision>
  peek(key: string, options?: CheckOptions): Awaitable<Decision>
  allow(key: string, options?: CheckOptions): Awaitable<boolean>
  refund(receipt: Receipt, units?: number): Awaitable<void>
  settle(receipt: Receipt, actualCost: number): Awaitable<void>
  charge(key: string, units: number): Awaitable<void>
  block(key: string, duration: Duration): Awaitable<void>
  unblock(key: string): Awaitable<boolean>
  reset(key: string): Awaitable<boolean>
  status(key: string): Awaitable<KeyStatus>
  stats(key: string): Awaitable<KeyStats>
  setPolicy(policy: PolicyInput): Awaitable<void>
  /** With the capability `together`. */
  checkAll?(items: readonly CheckItem[], options?: AllOptions): Awaitable<AllDecision>
  /** With the capability `together`. */
  allowAll?(items: readonly CheckItem[], options?: AllOptions): Awaitable<boolean>
  /** With the capability `many`. */
  checkMany?(keys: readonly string[], costs?: ArrayLike<number>): Awaitable<Decisions>
  /** With the capability `size`. */
  readonly size?: Awaitable<number>
  /** With the capability `size`. */
  sweep?(budget: number): Awaitable<number>
}

export interface MakeOptions {
  readonly clock: Clock
  /** With the capability `maxKeys`. */
  readonly maxKeys?: number
  /** With the capability `maxKeys`. */
  readonly onFull?: "evict-nearest-full" | "deny-new"
  /** With the capability `stats`. */
  readonly stats?: boolean
}

/** Makes a new limiter without any key. */
export type MakeLimiter = (policy: PolicyInput, options: MakeOptions) => Awaitable<ConformingLimiter>

/** One thing that every limiter must do. */
export interface LimiterCase {
  /** Unique in the suite. */
  readonly name: string
  readonly needs?: readonly Capability[]
  /** @throws {Error} where the limiter does not conform */
  run(make: MakeLimiter): Promise<void>
}

/** Why a limiter is not asked to do this; `null` where it is. */
export function skipReason({ needs = [] }: LimiterCase, lacks: Lacks): string | null {
  const missing = needs.find((need) => lacks[need] !== undefined)
  return missing === undefined ? null : lacks[missing]!
}

export { START_MS } from "../start-ms.js"
