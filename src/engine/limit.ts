import { checkWhole, isWhole, unfit, unfitWhole } from "../policy/check-fields.js"
import type { Policy, Rule } from "../policy/policy.js"
import type { Reason, RuleDecision } from "../types/decision.js"
import { CostError, DumpError, show } from "../types/errors.js"
import type { KeyStats, KeyStatus } from "../types/limiter.js"
import { type Core, VERDICT_HEAD, VERDICT_RULE } from "./core.js"
import { BRIEF, LATEST_MS, OUTCOME, UNITS_MAX } from "./core-exports.js"
import { type Decisions, readDecisions } from "./decisions.js"
import { type DumpHead, readDumpTables, writeDump } from "./dump.js"
import { type Issuer, LimitDecision, receiptId } from "./limit-decision.js"
import { packedRoom, packKeys } from "./packed-keys.js"
import { ruleFields } from "./rule-fields.js"
import type { Seed } from "./seed.js"

/**
 * What happens to a new key when `maxKeys` are held: the neighbour nearest to full makes room, or it is refused; or that
 * there is no bound, `maxKeys` being 2^32 − 1, and nothing idle is dropped on the way.
 */
export type OnFull = keyof typeof ON_FULL

const ON_FULL = { "evict-nearest-full": 0, "deny-new": 1, "keep-all": 2 } as const

export interface LimitOptions {
  /** The most keys held at once, 1 … 2^32 − 1. */
  readonly maxKeys: number
  readonly onFull: OnFull
  /** Whether to count decisions per key: a cell of 64 bytes per key, 77 to 97 with the room that tables keep to grow. */
  readonly stats: boolean
  readonly seed: Seed
  /** What the ids of this limit's receipts start with. */
  readonly issuerId: string
  /**
   * Whether other limits use the core too: then it outlives this one, and what this one holds is freed when it is
   * collected. A core of its own is collected with it.
   */
  readonly sharesCore: boolean
}

/** What a saved cell belongs to. */
export const SAVED = { cells: 0, blocks: 1, stats: 2 } as const
export type SavedKind = (typeof SAVED)[keyof typeof SAVED]

/** The reason of a decision, by its outcome. */
const REASONS: readonly (Reason | undefined)[] = ["limit", "ok", "blocked"]

/** Nearly every saved cell fits. */
export const CELL_ROOM = 4096

/** Statistics of a key that has none: four counts of 0, three times of −1, which is never. */
const NO_STATS = Float64Array.of(0, 0, 0, 0, -1, -1, -1)

/** Frees what a dropped limit held in a core that others still use. */
const dropped = new FinalizationRegistry<{ core: Core; pointer: number }>(({ core, pointer }) => {
  core.exports.limitFree(pointer)
})

/**
 * The keys of one policy, in the core's memory. Every verb takes the time; nothing here reads a clock.
 * Times are whole ms since the epoch below 2^47, amounts whole units up to 2^31, keys as `Core.stageKey` takes them.
 */
export class Limit {
  protected readonly core: Core
  readonly #options: LimitOptions
  #policy: Policy
  #firstRule: Rule
  protected pointer: number
  protected issuer: Issuer
  /** How many checks were charged: numbers their receipts. */
  charges = 0

  constructor(core: Core, policy: Policy, options: LimitOptions) {
    this.core = core
    this.#options = options
    this.#policy = policy
    this.#firstRule = policy.rules[0]
    this.issuer = { id: options.issuerId, policyName: policy.name }
    this.pointer = this.#make(policy)
  }

  #make(policy: Policy): number {
    const { maxKeys, onFull, stats, seed } = this.#options
    this.core.ruleFields.set(policy.rules.flatMap((rule) => ruleFields(rule, this.core.exports)))
    // Pointers are unsigned, and cross as i32: above 2 GB they would be negative.
    const limit = this.core.exports.limitNew(
      policy.rules.length,
      policy.blockMs,
      maxKeys,
      ON_FULL[onFull],
      stats ? 1 : 0,
      ...seed,
    )
    const pointer = limit >>> 0
    if (pointer === 0) throw new RangeError(`Cannot make a limit for ${policy.canonical}: the core refused it.`)
    this.#freeWhenDropped(pointer)
    return pointer
  }

  #freeWhenDropped(pointer: number): void {
    if (this.#options.sharesCore) dropped.register(this, { core: this.core, pointer }, this)
  }

  get policy(): Policy {
    return this.#policy
  }

  /** The smallest capacity of the rules. */
  get #maximumCost(): number {
    return Math.min(...this.#policy.rules.map((rule) => rule.capacity))
  }

  /** Keys with a cell, idle ones that were not swept yet included. */
  get size(): number {
    return this.core.exports.limitKeys(this.pointer)
  }

  /** Frees the memory at once instead of when this object is collected. Nothing may be asked afterwards. */
  free(): void {
    if (this.pointer === 0) return
    dropped.unregister(this)
    this.core.exports.limitFree(this.pointer)
    this.pointer = 0
  }

  #ask(key: string, cost: number, nowMs: number): number {
    if (cost === 1) return this.core.checkUnit(this.pointer, key, nowMs)
    return this.core.exports.check(this.pointer, this.core.stageKey(key), cost, nowMs)
  }

  /** Asks and charges. @throws {CostError} {KeyError} {RangeError}; then nothing has changed */
  check(key: string, cost: number, nowMs: number): LimitDecision {
    const outcome = this.#ask(key, cost, nowMs)
    if (outcome < BRIEF) return this.#decision(outcome, key, cost, nowMs, cost > 0)
    // The commonest of checks: what follows is short enough to become a part of the caller's loop.
    const { brief } = this.core
    const isDenied = outcome === BRIEF
    return new LimitDecision(
      isDenied ? "limit" : "ok",
      key,
      this.#firstRule,
      brief[0]!,
      1,
      brief[2]!,
      brief[4]!,
      0,
      this.issuer,
      isDenied ? 0 : ++this.charges,
      nowMs,
    )
  }

  /** As `check`, without a decision: the fastest question. */
  allow(key: string, cost: number, nowMs: number): boolean {
    const outcome = this.#ask(key, cost, nowMs) & ~BRIEF
    if (outcome === OUTCOME.admitted) return true
    if (outcome === OUTCOME.denied || outcome === OUTCOME.blocked || outcome === OUTCOME.noRoom) return false
    throw this.#error(outcome, key, cost, nowMs)
  }

  /**
   * Asks and charges for many keys at one time, in their order.
   *
   * @param costs one for each key; 1 where not given
   * @throws {CostError} {KeyError} {RangeError} where any of them cannot be; then nothing has changed
   */
  checkMany(keys: readonly string[], costs: ArrayLike<number> | undefined, nowMs: number): Decisions {
    const count = keys.length
    requireCosts(keys, costs, this.#maximumCost)
    return this.#many(packedRoom(keys), count, costs, nowMs, (bytes, ends) => packKeys(keys, bytes, ends))
  }

  /**
   * `checkMany` for keys that are bytes already: key i is `bytes` from the end of the one before to `ends[i]`.
   *
   * @throws {CostError} {RangeError} where a key is empty or longer than 512 bytes, or a cost cannot be; then nothing
   * has changed
   */
  checkPacked(bytes: Uint8Array, ends: Uint32Array, costs: ArrayLike<number> | undefined, nowMs: number): Decisions {
    if (ends.length > 0 && ends[ends.length - 1]! > bytes.length) {
      throw unfit("check keys", "the last of ends", ends.at(-1), `at most ${bytes.length}`)
    }
    requireCosts(ends, costs, this.#maximumCost)
    return this.#many(bytes.length + 16, ends.length, costs, nowMs, (room, roomEnds) => {
      room.set(bytes)
      roomEnds.set(ends)
    })
  }

  #many(
    keyRoom: number,
    count: number,
    costs: ArrayLike<number> | undefined,
    nowMs: number,
    pack: (bytes: Uint8Array, ends: Uint32Array) => void,
  ): Decisions {
    const { exports } = this.core
    const wordBytes = count * 4
    const endsAt = (keyRoom + 7) & ~7
    const costsAt = endsAt + ((wordBytes + 7) & ~7)
    const answersAt = costsAt + ((wordBytes + 7) & ~7)
    const answerBytes = exports.manyBytes(count) >>> 0
    return this.core.withScratch(answersAt + answerBytes, (block) => {
      const { buffer } = this.core.bytes
      pack(new Uint8Array(buffer, block, keyRoom), new Uint32Array(buffer, block + endsAt, count))
      if (costs !== undefined) new Uint32Array(buffer, block + costsAt, count).set(costs)
      const costsPointer = costs === undefined ? 0 : block + costsAt
      const answers = block + answersAt
      const outcome = exports.checkMany(this.pointer, block, block + endsAt, costsPointer, count, nowMs, answers)
      if (outcome !== OUTCOME.admitted) throw this.#manyError(nowMs)
      return readDecisions(exports.memory.buffer, answers, count, answerBytes)
    })
  }

  #manyError(nowMs: number): Error {
    if (!isTime(nowMs)) return this.#error(OUTCOME.badArgument, "", 0, nowMs)
    return new RangeError("Cannot check keys: allowed are ends that rise by 1 to 512 bytes.")
  }

  /** Asks and stores nothing. Where the clock was set back far, the wait that it tells begins with a check. */
  peek(key: string, cost: number, nowMs: number): LimitDecision {
    const length = this.core.stageKey(key)
    return this.#decision(this.core.exports.peek(this.pointer, length, cost, nowMs), key, cost, nowMs, false)
  }

  /** Takes units whatever is left, into debt if need be. */
  charge(key: string, units: number, nowMs: number): void {
    const length = this.core.stageKey(key)
    this.#settle(this.core.exports.charge(this.pointer, length, units, nowMs), key, units, nowMs)
  }

  /**
   * Gives back units of a charge made at `chargedAtMs`, as far as the state still holds them.
   *
   * @throws {KeyError} {RangeError}, with 0 units too; then nothing has changed
   */
  refund(key: string, units: number, chargedAtMs: number, nowMs: number): void {
    checkWhole("refund", "chargedAtMs", chargedAtMs, 0, LATEST_MS)
    const length = this.core.stageKey(key)
    this.#settle(this.core.exports.refund(this.pointer, length, units, chargedAtMs, nowMs), key, units, nowMs)
  }

  /** Denies a key until a time, in place of an earlier block. */
  block(key: string, untilMs: number, nowMs: number): void {
    const length = this.core.stageKey(key)
    this.#settle(this.core.exports.block(this.pointer, length, untilMs, nowMs), key, 0, nowMs)
  }

  /** Ends a block. Whether there was one. */
  unblock(key: string): boolean {
    return this.core.exports.unblock(this.pointer, this.core.stageKey(key)) === 1
  }

  /** Makes a key's quota full and ends its block. Whether there was anything to forget. */
  reset(key: string, nowMs: number): boolean {
    const length = this.core.stageKey(key)
    const outcome = this.core.exports.reset(this.pointer, length, nowMs)
    if (outcome === OUTCOME.badArgument) throw this.#error(outcome, key, 0, nowMs)
    return outcome === 1
  }

  /** A key's statistics; all zero where nothing was counted. */
  stats(key: string): KeyStats {
    const length = this.core.stageKey(key)
    const pointer = this.core.exports.stats(this.pointer, length) >>> 0
    const numbers = pointer === 0 ? NO_STATS : new Float64Array(this.core.bytes.buffer, pointer, 7)
    const timeAt = (index: number) => (numbers[index]! < 0 ? null : numbers[index]!)
    return {
      totalAllowed: numbers[0]!,
      totalDenied: numbers[1]!,
      totalAllowedCost: numbers[2]!,
      totalDeniedCost: numbers[3]!,
      lastAllowedAt: timeAt(4),
      lastDeniedAt: timeAt(5),
      lastResetAt: timeAt(6),
    }
  }

  /** What is left of a key's quota, without a check. */
  status(key: string, nowMs: number): KeyStatus {
    const length = this.core.stageKey(key)
    const outcome = this.core.exports.peek(this.pointer, length, 0, nowMs)
    if (outcome < OUTCOME.denied || outcome > OUTCOME.blocked) throw this.#error(outcome, key, 0, nowMs)
    const rules = this.#ruleDecisions(this.core.verdict)
    const least = this.#policy.rules.reduce(
      (least, rule, index, all) =>
        rules[index]!.remaining * all[least]!.capacity < rules[least]!.remaining * rule.capacity ? index : least,
      0,
    )
    return {
      key,
      policy: rules[least]!.policy,
      remaining: rules[least]!.remaining,
      resetAfterMs: Math.max(...rules.map((rule) => rule.resetAfterMs)),
      blockedForMs: Math.max(0, this.core.exports.blockedUntil(this.pointer, length) - nowMs),
      rules,
    }
  }

  /** Looks at up to `budget` places for idle keys and ended blocks, from where the last sweep stopped. How many went. */
  sweep(nowMs: number, budget: number): number {
    return this.core.exports.sweep(this.pointer, nowMs, budget) >>> 0
  }

  /** Puts another policy in place: used units stay used, capped at the new capacity. Costs the number of keys. */
  change(policy: Policy, nowMs: number): void {
    const old = this.pointer
    dropped.unregister(this)
    const pointer = this.#make(policy)
    if (this.core.exports.limitCarry(old, pointer, nowMs) !== 1) {
      dropped.unregister(this)
      this.core.exports.limitFree(pointer)
      this.#freeWhenDropped(old)
      throw new RangeError("Cannot change a policy: the core's memory is full or the time is out of range.")
    }
    this.core.exports.limitFree(old)
    this.pointer = pointer
    this.#policy = policy
    this.#firstRule = policy.rules[0]
    this.issuer = { id: this.issuer.id, policyName: policy.name }
  }

  /** The id of the receipt of a charge. */
  receiptId(charge: number): string {
    return receiptId(this.issuer, charge)
  }

  /** The number of a charge by its receipt's id, or `null` where the id is not of this limit. */
  chargeOf(id: string): number | null {
    const head = `${this.issuer.id}-`
    // A receipt may come from outside, where types are not checked.
    const charge =
      typeof id === "string" && id.startsWith(head) ? Number.parseInt(id.slice(head.length), 36) : Number.NaN
    return charge >= 1 && charge <= this.charges && this.receiptId(charge) === id ? charge : null
  }

  /**
   * Every cell that says something at `nowMs`, in no order: where its bytes are, without a pointer in them, until `use` has
   * returned.
   */
  protected eachSaved(kind: SavedKind, nowMs: number, use: (at: number, bytes: number) => void): void {
    const { exports } = this.core
    let room = CELL_ROOM
    let output = exports.memoryTake(room) >>> 0
    exports.saveStart()
    for (let cell = exports.saveNext(this.pointer, kind, nowMs); cell !== 0; ) {
      const bytes = exports.saveCell(this.pointer, kind, cell, output, room) >>> 0
      if (bytes > room) {
        exports.memoryGive(output, room)
        room = bytes
        output = exports.memoryTake(room) >>> 0
        if (output === 0) throw new RangeError(`Cannot save a cell of ${bytes} bytes: the core's memory is full.`)
        continue
      }
      use(output, bytes)
      cell = exports.saveNext(this.pointer, kind, nowMs)
    }
    exports.memoryGive(output, room)
  }

  /**
   * Puts saved cells back that lie one after the other, past `maxKeys` too. False where the bytes cannot be cells, or a key
   * is there already; then those before are back.
   */
  load(kind: SavedKind, bytes: Uint8Array): boolean {
    return this.core.withBlock(bytes.length, (pointer) => {
      this.core.bytes.set(bytes, pointer)
      return this.core.exports.loadCell(this.pointer, kind, pointer, bytes.length) === 1
    })
  }

  /**
   * All that is held, as bytes for `restore`.
   *
   * @param settled receipts that were settled and could be tried again
   */
  dump(nowMs: number, settled: DumpHead["settled"]): Uint8Array {
    const { canonical, rules } = this.#policy
    const { stats, seed, issuerId } = this.#options
    const hasLog = rules.some(({ algorithm }) => algorithm === "sliding_window_log")
    const head = { policy: canonical, stats, seed, issuerId, charges: this.charges, settled }
    const cells: Uint8Array[] = []
    if (hasLog) this.eachSaved(SAVED.cells, nowMs, (at, bytes) => cells.push(this.core.bytes.slice(at, at + bytes)))
    return writeDump(this.core, this.pointer, head, cells)
  }

  /**
   * Puts what a dump holds into this limit, which must hold nothing and have the dump's seed.
   *
   * @throws {DumpError} where it does not fit; this limit then holds a part of it
   */
  restore(bytes: Uint8Array, { charges }: DumpHead): void {
    readDumpTables(this.core, this.pointer, bytes, (cell) => this.load(SAVED.cells, cell))
    const { maxKeys } = this.#options
    if (this.size > maxKeys) throw new DumpError(`it holds ${this.size} keys, allowed are ${maxKeys} (maxKeys)`)
    this.charges = charges
  }

  #decision(outcome: number, key: string, cost: number, nowMs: number, charging: boolean): LimitDecision {
    const reason = REASONS[outcome]
    if (reason === undefined) return this.#undecided(outcome, key, cost, nowMs)
    const { verdict } = this.core
    const { rules } = this.#policy
    // As an int32: a float would make the place in `rules` one to look up by name.
    const binding = verdict[2]! | 0
    const at = VERDICT_HEAD + binding * VERDICT_RULE
    const decision = new LimitDecision(
      reason,
      key,
      rules[binding]!,
      small(verdict[at]!),
      cost,
      small(verdict[0]!),
      small(verdict[at + 2]!),
      small(verdict[1]!),
      this.issuer,
      charging && reason === "ok" ? ++this.charges : 0,
      verdict[3]!,
    )
    return rules.length === 1 ? decision : Object.assign(decision, { rules: this.#ruleDecisions(verdict) })
  }

  /** What is no decision of the core: a new key's denial where there is no room, else an error. */
  #undecided(outcome: number, key: string, cost: number, nowMs: number): LimitDecision {
    if (outcome === OUTCOME.noRoom) return this.#refuseNewKey(key, cost)
    throw this.#error(outcome, key, cost, nowMs)
  }

  #ruleDecisions(verdict: Float64Array): RuleDecision[] {
    return this.#policy.rules.map((rule, index) => {
      const at = VERDICT_HEAD + index * VERDICT_RULE
      return ruleDecision(rule, verdict[at]!, verdict[at + 1]!, verdict[at + 2]!)
    })
  }

  /** The denial of a key for which there is no room: it may come back when a held key could have become idle. */
  #refuseNewKey(key: string, cost: number): LimitDecision {
    const { rules } = this.#policy
    const closed = rules.map((rule) => ruleDecision(rule, 0, rule.periodMs, rule.periodMs))
    const { periodMs } = rules[0]
    const decision = new LimitDecision("limit", key, rules[0], 0, cost, periodMs, periodMs, 0, this.issuer, 0, 0)
    return rules.length === 1 ? decision : Object.assign(decision, { rules: closed })
  }

  #settle(outcome: number, key: string, units: number, nowMs: number): void {
    if (outcome === OUTCOME.admitted) return
    if (outcome === OUTCOME.noRoom) {
      throw new RangeError(`Cannot hold another key: ${this.#options.maxKeys} are held (maxKeys).`)
    }
    throw this.#error(outcome, key, units, nowMs)
  }

  #error(outcome: number, key: string, units: number, nowMs: number): Error {
    if (outcome === OUTCOME.costAboveCapacity) {
      return new CostError(key, units, this.#maximumCost)
    }
    if (!isTime(nowMs)) {
      return unfitWhole("decide", "nowMs", nowMs, 0, LATEST_MS)
    }
    return unfitWhole("take units", "units", units, 0, UNITS_MAX)
  }
}

/** @throws {RangeError} where the cost of a key's check is no whole number in range: WebAssembly would make one of it */
export function requireCost(key: unknown, cost: unknown): number {
  if (isWhole(cost, 0, UNITS_MAX)) return cost
  throw unfitWhole(`check key ${show(key)}`, "cost", cost, 0, UNITS_MAX)
}

/** What is known of one rule. */
function ruleDecision(
  { name, algorithm, limit, periodMs }: Rule,
  remaining: number,
  retryAfterMs: number,
  resetAfterMs: number,
): RuleDecision {
  return { policy: name, algorithm, limit, periodMs, remaining, retryAfterMs, resetAfterMs }
}

/** The same number. An object holds one that is an int32 by itself, and needs a box for a float: most here are small. */
function small(value: number): number {
  const int = value | 0
  return int === value ? int : value
}

function isTime(nowMs: number): boolean {
  return isWhole(nowMs, 0, LATEST_MS)
}

/** Refuses costs that cannot be, before anything is charged. */
function requireCosts(keys: ArrayLike<unknown>, costs: ArrayLike<number> | undefined, maximum: number): void {
  if (costs === undefined) return
  if (costs?.length !== keys.length) {
    throw unfit("check keys", "costs.length", costs?.length, `${keys.length}`)
  }
  for (let index = 0; index < costs.length; index++) {
    const cost = requireCost(keys[index], costs[index])
    if (cost > maximum) throw new CostError(String(keys[index]), cost, maximum)
  }
}
