import { waitUntil } from "cloudflare:workers"
import { requireKey } from "../../src/engine/key-bytes.js"
import { inNameOrder } from "../../src/lib/name-order.js"
import type { NamedLimit, Page } from "../../src/limiter/named-limits.js"
import { requirePage } from "../../src/limiter/page.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy, PolicyInput } from "../../src/policy/policy.js"
import { show } from "../../src/types/errors.js"
import type { LimitDirectory } from "./limit-directory.js"
import { generationIn, nameIn, scopeOf } from "./limit-scope.js"
import type { Registry } from "./registry.js"
import type { Reporter } from "./reporter.js"

export interface LimitDefinitionsParts {
  readonly registry: Registry
  readonly directory: LimitDirectory
  readonly reporter: Reporter
  /** Limits that the Worker's settings define: they stand in front of paths, and nobody changes them from outside. */
  readonly ofSettings: ReadonlyMap<string, Policy>
}

const MAX_TOLD = 1_000

/** Which limits there are: those of the Worker's settings, and those that the registry keeps, defined from outside. */
export class LimitDefinitions {
  readonly #parts: LimitDefinitionsParts

  constructor(parts: LimitDefinitionsParts) {
    this.#parts = parts
  }

  /**
   * Defines a limit, or puts another policy in its place. Other isolates know it some seconds later.
   *
   * @throws {PolicyError} {KeyError}; {RangeError} where the Worker's settings define it
   */
  async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
    requireKey(name)
    const parsed = parsePolicy(policy)
    this.#refuseOfSettings(name)
    const { registry, directory, reporter } = this.#parts
    const { isChange, ...entry } = await registry.ofLimit(name).define(name, parsed.canonical)
    directory.note(name, entry)
    if (isChange) reporter.noted("define", scopeOf(name, entry.generation), name, 0)
    return { name, policy: parsed }
  }

  /**
   * What is known of its keys goes in the background. Where some of it could not be reached, removing the limit again
   * does the rest, unless it was defined anew before.
   */
  async remove(name: string): Promise<boolean> {
    this.#refuseOfSettings(name)
    const { registry, directory } = this.#parts
    const removed = await registry.ofLimit(name).remove(name)
    directory.note(name, null)
    if (removed === null) return false
    const forgotten = registry.forget(scopeOf(name, removed.generation))
    waitUntil(forgotten.catch((error: unknown) => console.error("Keys of a removed limit are left:", error)))
    return removed.isChange
  }

  #refuseOfSettings(name: string): void {
    if (!this.#parts.ofSettings.has(name)) return
    throw new RangeError(`Cannot change the limit ${show(name)}: the Worker's settings define it.`)
  }

  /** Those that there are, in the order of their names. */
  async page(page: Page = {}): Promise<NamedLimit[]> {
    requirePage(page)
    const { after, count = Number.POSITIVE_INFINITY } = page
    const most = Math.min(count, MAX_TOLD + 1)
    const pages = await this.#parts.registry.fromLimits((shard) => shard.page(after ?? null, most))
    const named = pages.flat().map(({ name, policy }) => ({ name, policy: parsePolicy(policy) }))
    const ofSettings = [...this.#parts.ofSettings].map(([name, policy]) => ({ name, policy }))
    return [...named.filter(({ name }) => !this.#parts.ofSettings.has(name)), ...ofSettings]
      .filter(({ name }) => after === undefined || inNameOrder(name, after) > 0)
      .sort((a, b) => inNameOrder(a.name, b.name))
      .slice(0, most)
  }

  /** Whether a limit was ever filed under a scope. */
  async wasDefined(scope: string): Promise<boolean> {
    const [name, generation] = [nameIn(scope), generationIn(scope)]
    // Which limits former settings had, nobody knows.
    return Number.isNaN(generation) || this.#parts.registry.ofLimit(name).wasDefined(name, generation)
  }
}
