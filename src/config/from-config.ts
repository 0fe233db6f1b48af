import { MemoryLimits, type MemoryLimitsOptions } from "../limiter/memory-limits.js"
import { DEFAULT_LIMIT } from "../limiter/named-limits.js"
import type { Decision } from "../types/decision.js"
import type { CheckOptions } from "../types/limiter.js"
import type { Config } from "./config.js"
import { configPolicies, limitNameFor } from "./config-policies.js"
import { decisionLog, type LogHooks, type LogOutput } from "./decision-log.js"
import { type ConfigInput, type ParseConfigOptions, parseConfig } from "./parse-config.js"
import { limitOf, type Whose } from "./policy-for.js"

export interface FromConfigOptions extends ParseConfigOptions, Omit<MemoryLimitsOptions, "limits"> {
  /** Where the log goes; default the console. */
  readonly log?: LogOutput
  /** Hears of the share of decisions that `analytics` says, while that is enabled. */
  readonly onSample?: (decision: Decision) => void
  /** A source of numbers in [0, 1), for the sample; default `Math.random`. */
  readonly random?: () => number
}

/** Which limit a check is about, and whose policy of it. */
export interface ConfiguredCheck extends CheckOptions, Whose {
  /** The limit's name; default `"default"`. */
  readonly limit?: string
}

/** Keys whose names are kept while analytics are enabled. */
const ANALYTICS_NAMES = 10_000

/** A configuration in force, in memory. */
export class ConfiguredLimits {
  readonly config: Config
  /** All limits, by name: also those of tiers and tenants, as `limitName` calls them. */
  readonly limits: MemoryLimits
  readonly #hooks: LogHooks
  readonly #sample: (decision: Decision) => void

  constructor(config: Config, options: FromConfigOptions = {}) {
    const { log, onSample, random = Math.random, env: _env, ...memory } = options
    const { enabled, sampleRate } = config.analytics
    this.config = config
    this.#hooks = decisionLog(config.logging, log)
    this.#sample = (decision) => {
      if (enabled && onSample !== undefined && random() < sampleRate) onSample(decision)
    }
    this.limits = new MemoryLimits({
      ...(enabled && { stats: true, names: ANALYTICS_NAMES }),
      ...memory,
      limits: configPolicies(config),
    })
  }

  /**
   * The name in `limits` of a limit as a tenant or a tier has it. Keys under different names are counted apart.
   *
   * @throws {LimitNotFound}
   */
  limitName(limit: string, whose: Whose = {}): string {
    return limitNameFor(this.config, limit, whose)
  }

  /** A key as it is counted, the prefix before it. */
  key(key: string): string {
    return `${this.config.keyPrefix}${key}`
  }

  /**
   * Asks and charges, as the configuration says: the limit's cost where none is given, the key's prefix, log and sample.
   *
   * @throws {LimitNotFound} {CostError} {KeyError} {RangeError}; then nothing has changed
   */
  check(key: string, { limit = DEFAULT_LIMIT, tenant, tier, ...options }: ConfiguredCheck = {}): Decision {
    const { cost } = limitOf(this.config, limit)
    const decision = this.limits.check(this.key(key), {
      cost,
      ...options,
      limit: this.limitName(limit, { tenant, tier }),
    })
    this.#hooks.onDecision?.(decision)
    this.#sample(decision)
    return decision
  }

  /** `check`, but only whether. */
  allow(key: string, options?: ConfiguredCheck): boolean {
    return this.check(key, options).allowed
  }
}

/**
 * Limits in memory as a configuration says: the text of `sluice.toml`, or an object of the same shape.
 *
 * @throws {ConfigError} naming the field, the value and what is allowed
 * @example
 * ```ts
 * import { fromConfig } from "sluice/config"
 *
 * const limits = fromConfig(`
 *   [limits.default]
 *   policy = "10/second; 1000/hour"
 *
 *   [limits.login]
 *   limit = 5
 *   period = "1m"
 *   block = "15m"
 * `)
 * limits.check("user:42").remaining // 9
 * limits.check("user:42", { limit: "login" }).remaining // 4
 * ```
 */
export function fromConfig(input: ConfigInput, options: FromConfigOptions = {}): ConfiguredLimits {
  return new ConfiguredLimits(parseConfig(input, options), options)
}
