import type { DecidingLimit } from "../api/told-limit.js"
import { type DecisionLog, openDecisionLog } from "../config/decision-log.js"
import { type Config, configPolicies, type LimitsByConfig, type LogOutput, limitsByConfig } from "../config/index.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import type { Decision } from "../types/decision.js"
import type { Hangups } from "./hangups.node.js"

/** What a server does by its configuration, which another one may be put in place of. */
export class ServedConfig {
  readonly limits: LimitsByConfig
  readonly #names = new Set<string>()
  readonly #output: LogOutput
  #config: Config
  #log: DecisionLog = {}
  /** The reloads that were asked for, one after the other. */
  #reloading = Promise.resolve()

  constructor(config: Config, limits: NamedLimits, output: LogOutput) {
    this.limits = limitsByConfig(limits, config)
    this.#output = output
    this.#config = config
    this.#follow(config)
  }

  /** The names of its limits and groups, those of tiers and tenants included: always those that are in force. */
  get names(): ReadonlySet<string> {
    return this.#names
  }

  /** How many limits a check of that name asks: one, or all of a group. */
  readonly limitsAsked = (name: string): number => this.#config.groups.get(name)?.limits.length ?? 1

  readonly onDecision = (decision: Decision, { name }: DecidingLimit): void => {
    this.#log.onDecision?.(decision, { limit: name })
  }

  /**
   * Reads the configuration anew at each SIGHUP, and puts it in force; where it cannot be, the former one goes on.
   *
   * @param tell is told of each time: `null`, or why not
   * @returns ends it, once the last reload is done
   */
  reloadOn(hangups: Hangups, read: () => Config, tell: (error: unknown) => void): () => Promise<void> {
    hangups.onEach(() => {
      this.#reloading = this.#reloading.then(() => this.#reload(read)).then(() => tell(null), tell)
    })
    return () => {
      hangups.ignore()
      return this.#reloading
    }
  }

  async #reload(read: () => Config): Promise<void> {
    const before = this.#config
    const config = read()
    // Decisions by it are told by its names before all of it is durable.
    this.#follow(config)
    try {
      await this.limits.reload(config)
    } catch (error) {
      this.#follow(before)
      throw error
    }
  }

  #follow(config: Config): void {
    this.#config = config
    this.#names.clear()
    for (const name of [...configPolicies(config).keys(), ...config.groups.keys()]) this.#names.add(name)
    this.#log = openDecisionLog(config.logging, this.#output)
  }
}
