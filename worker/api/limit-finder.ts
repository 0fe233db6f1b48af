import { waitUntil } from "cloudflare:workers"
import { BoundedMap } from "../../src/lib/bounded-map.js"
import { findLimitFor, refuseUnlimited } from "../../src/limiter/limit-for.js"
import type { LimitChoice } from "../../src/limiter/named-limits.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy } from "../../src/policy/policy.js"
import { LimitNotFound } from "../../src/types/errors.js"
import type { EdgeLimiter } from "../edge-limiter.js"
import { VERSION, type VersionedOptions } from "../key-places.js"
import type { LimiterObject } from "../limiter-object.js"
import { type NoteUnits, NotingLimiter } from "../noting-limiter.js"
import type { LimitDirectory } from "./limit-directory.js"
import { generationIn, nameIn, scopeOf, settingsScope } from "./limit-scope.js"

/** A limit as it is in force. */
export interface LimitInForce {
  readonly name: string
  readonly policy: Policy
  /** What its keys are filed under. */
  readonly scope: string
  readonly limiter: EdgeLimiter
}

const MAX_LIMITERS = 1_000
/** What the objects of limits that were configured from outside are called, apart from those of the settings. */
const CONFIGURED = "configured"

/** Finds the limits by name, those of the Worker's settings first, and makes each a limiter once. */
export class LimitFinder {
  readonly #binding: DurableObjectNamespace<LimiterObject>
  readonly #directory: LimitDirectory
  readonly #ofSettings: ReadonlyMap<string, Policy>
  readonly #note: (scope: string, ...told: Parameters<NoteUnits>) => void
  /** By scope and version, or policy where there are no versions; shared by the requests of an isolate. */
  readonly #limiters = new BoundedMap<string, EdgeLimiter>(MAX_LIMITERS)

  /** @param note told of units of a key that its limit, filed under a scope, was given back or charged beside checks */
  constructor(
    binding: DurableObjectNamespace<LimiterObject>,
    directory: LimitDirectory,
    ofSettings: ReadonlyMap<string, Policy>,
    note: (scope: string, ...told: Parameters<NoteUnits>) => void,
  ) {
    this.#binding = binding
    this.#directory = directory
    this.#ofSettings = ofSettings
    this.#note = note
  }

  /** The limit that a verb is about: the one that was chosen, else the key's own, else the default one. */
  async of(key: string, choice: LimitChoice | undefined): Promise<LimitInForce> {
    if (choice?.limit !== undefined) return this.named(choice.limit)
    return (await findLimitFor((name) => this.find(name), key)) ?? refuseUnlimited(key)
  }

  /** @throws {LimitNotFound} */
  async named(name: string): Promise<LimitInForce> {
    const found = await this.find(name)
    if (found === null) throw new LimitNotFound(name)
    return found
  }

  async find(name: string): Promise<LimitInForce | null> {
    const own = this.#ofSettings.get(name)
    if (own !== undefined) return this.#inForce(name, own, settingsScope(name), objectsOfSettings(name))
    if (typeof name !== "string" || name === "" || !name.isWellFormed()) return null
    const entry = await this.#directory.find(name)
    if (entry === null) return null
    const scope = scopeOf(name, entry.generation)
    return this.#inForce(name, parsePolicy(entry.policy), scope, { name: CONFIGURED, tenant: scope }, entry.version)
  }

  /**
   * The limit that a scope is of, `null` where it was removed. One that this isolate does not know may have been
   * defined elsewhere since, so it is looked for once more.
   */
  async ofScope(scope: string): Promise<LimitInForce | null> {
    const name = nameIn(scope)
    const known = await this.find(name)
    if (known?.scope === scope) return known
    const isLater = generationIn(scope) > (known === null ? 0 : generationIn(known.scope))
    if (!isLater) return null
    await this.#directory.refresh(name)
    const found = await this.find(name)
    return found?.scope === scope ? found : null
  }

  #inForce(
    name: string,
    policy: Policy,
    scope: string,
    objects: { name: string; tenant?: string },
    version?: number,
  ): LimitInForce {
    const limiters = this.#limiters
    const place = `${scope}\n${version ?? policy.canonical}`
    let limiter = limiters.get(place)
    if (limiter === undefined) {
      const options: VersionedOptions = { ...objects, background: waitUntil, [VERSION]: version }
      limiter = new NotingLimiter(this.#binding, policy, options, (...told) => this.#note(scope, ...told))
      limiters.set(place, limiter)
    }
    return { name, policy, scope, limiter }
  }
}

/** Those of a tier or a tenant, whose name no object's can be, are asked through the API alone. */
function objectsOfSettings(name: string): { name: string; tenant?: string } {
  return name.includes("\n") ? { name: CONFIGURED, tenant: settingsScope(name) } : { name }
}
