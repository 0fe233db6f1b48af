import type { Policy, PolicyInput } from "../policy/policy.js"
import type { Awaitable } from "../types/limiter.js"
import type { KeyExtractor } from "./keys/key-extractor.js"
import type { RequestLimiter } from "./request-limiter.js"

/**
 * Finds the limiter that keeps the counts of a policy. One that takes the policy alone is asked once for each (of those
 * that a function makes up, 1,024 are remembered), so it may make the limiter; one that takes none, or what the handler
 * is called with too, is asked at every request. Its `length` tells: it counts no `...rest`.
 */
export type LimiterSource<Rest extends unknown[] = unknown[]> = (policy: Policy, ...rest: Rest) => RequestLimiter

/** Finds the policy of a request. */
export interface PolicySource<Rest extends unknown[] = unknown[]> {
  (request: Request, ...rest: Rest): Awaitable<PolicyInput>
  /** Those that it chooses among, where it makes up no others: then their counts in memory are never forgotten. */
  readonly policies?: readonly PolicyInput[]
}

/** What happens to a request while the limiter cannot be asked: it passes, is refused, or this process limits alone. */
export type FailMode = "open" | "closed" | "local"

/** What one limit can be told. */
export interface LimitOptions<Rest extends unknown[] = unknown[]> {
  /** The limit, or a function that gives each request its own, such as that of the client's tier. */
  readonly policy: PolicyInput | PolicySource<Rest>
  /**
   * What a request counts against; default the client's address. Where it finds nothing or throws, the request counts
   * against `UNIDENTIFIED_KEY`, which all such requests share. Keys over 512 bytes are hashed.
   */
  readonly key?: KeyExtractor<Rest> | undefined
  /**
   * Units that a request costs, a whole number; default 1. 0 asks and charges nothing, so bound what a client chooses
   * from below.
   */
  readonly cost?: number | ((request: Request, ...rest: Rest) => Awaitable<number>) | undefined
  /**
   * What the limit is called in the fields where its policy has no name of its own, 1 to 32 printable ASCII characters;
   * default `"default"`, and `"default-2"`, `"default-3"` … for those after the first. Unnamed rules of a policy with
   * several have it before their own name, such as `"user-10-per-1s"`.
   */
  readonly name?: string | undefined
}

/** What a limit is called that has this beside its options, whatever its rules are. Only a configuration says it. */
export const LIMIT_NAME = Symbol("limit name")

/** A limit's options as a configuration gives them. */
export interface LimitOptionsWithName extends LimitOptions<never> {
  readonly [LIMIT_NAME]?: string
}
