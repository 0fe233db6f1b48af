import { expect } from "vitest"
import { Core } from "../../src/engine/core.js"
import type { LimitDecision } from "../../src/engine/limit-decision.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerOptions } from "../../src/ledger/ledger-options.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy } from "../../src/policy/policy.js"
import { CostError } from "../../src/types/errors.js"
import type { Receipt } from "../../src/types/receipt.js"
import type { Act, Script, Step } from "./acts.js"
import { START_MS } from "./ledger-case.js"

/** Hostile ones first, then enough that a table has to grow. */
const KEYS = [
  "a",
  "__proto__",
  "🔑/constructor:é",
  `${"x".repeat(511)}y`,
  ...Array.from({ length: 16 }, (_, index) => `key-${index}`),
]
const LIMITS = ["first", "second\n;é", "__proto__"]
const MAX_TIME_MS = 2 ** 47 - 1

/** The ledgers of the tests share one core, as those of an isolate do. */
export const core = new Core()

interface HeldReceipt {
  readonly limit: string
  readonly receipt: Receipt
}

/** Runs a script on a ledger, and keeps what it answered. */
export class ScriptRun {
  readonly answers: string[] = []
  readonly #port: LedgerPort
  readonly #options: LedgerOptions
  readonly #policies: readonly Policy[]
  #ledger!: Ledger
  #nowMs = START_MS
  #receipts: HeldReceipt[] = []
  #durableReceipts = 0
  #durable: readonly string[] = []
  #durableAtMs = START_MS
  /** What each act since then left behind where a compaction goes on beside: any of it may be in the file. */
  #maybeDurable: { readonly seen: readonly string[]; readonly atMs: number; readonly receipts: number }[] = []
  #compaction: Promise<unknown> | null = null

  constructor(port: LedgerPort, { policies }: Script, options: LedgerOptions = {}) {
    this.#port = port
    this.#options = { core, names: true, ...options }
    this.#policies = policies.map((policy) => parsePolicy(policy))
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Opens the store and defines the limits. */
  async open(): Promise<void> {
    this.#ledger = await Ledger.open(this.#port, this.#options)
    for (const [index, name] of LIMITS.entries()) this.#ledger.define(name, this.#policies[index]!, this.#nowMs)
    await this.#commit()
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const { byMs, act } of steps) {
      this.#nowMs = Math.min(Math.max(0, this.#nowMs + byMs), MAX_TIME_MS)
      await this.#act(act)
      if (this.#compaction === null) continue
      this.#noteMaybeDurable()
      await this.#turn()
      // The compaction may have begun, and let go of what is idle.
      this.#noteMaybeDurable()
    }
  }

  #noteMaybeDurable(): void {
    this.#maybeDurable.push({ seen: this.seen(), atMs: this.#nowMs, receipts: this.#receipts.length })
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#port.defer(resolve)
    })
  }

  async close(): Promise<void> {
    await this.#ledger.close()
  }

  /** What every key would be told around now, and what is known of it. */
  seen(aroundMs = this.#nowMs): readonly string[] {
    return seenOf(this.#ledger, aroundMs)
  }

  async #commit(): Promise<void> {
    await this.#ledger.commit()
    this.#noteDurable()
  }

  #noteDurable(): void {
    this.#durable = this.seen()
    this.#durableAtMs = this.#nowMs
    this.#durableReceipts = this.#receipts.length
    this.#maybeDurable = []
  }

  async #act(act: Act): Promise<void> {
    switch (act.verb) {
      case "check":
        return this.#check(this.#limit(act.limit), KEYS[act.key]!, act.units)
      case "flood":
        for (let time = 0; time < act.times; time++) {
          this.#check(this.#limit(act.limit), KEYS[act.key]!, 1)
          this.#nowMs = Math.max(0, this.#nowMs + act.everyMs)
        }
        return
      case "charge":
        return this.#ledger.charge(this.#limit(act.limit), KEYS[act.key]!, act.units, this.#nowMs)
      case "settle": {
        const held = this.#receipts[act.receipt % this.#receipts.length]
        if (held === undefined) return
        const units = Math.min(act.units, held.receipt.cost)
        const isSettled = this.#ledger.settle(this.#ledger.limit(held.limit)!, held.receipt, units, this.#nowMs)
        this.answers.push(`settled ${isSettled}`)
        return
      }
      case "block":
        this.#ledger.block(
          this.#limit(act.limit),
          KEYS[act.key]!,
          Math.min(this.#nowMs + act.durationMs, MAX_TIME_MS),
          this.#nowMs,
        )
        return
      case "unblock":
      case "reset":
        this.answers.push(`${act.verb} ${this.#ledger[act.verb](this.#limit(act.limit), KEYS[act.key]!, this.#nowMs)}`)
        return
      case "define":
        this.#ledger.define(LIMITS[act.limit]!, this.#policies[act.policy % this.#policies.length]!, this.#nowMs)
        return
      case "call":
        return this.#check(this.#limit(act.limit), KEYS[act.key]!, act.units, `call ${act.id}`)
      case "group":
        return this.#group(act.keys, act.units)
      case "replace": {
        const limit = this.#limit(act.limit)
        this.#ledger.remove(limit, this.#nowMs)
        this.#receipts = this.#receipts.filter((held) => held.limit !== limit.name)
        this.#durableReceipts = Math.min(this.#durableReceipts, this.#receipts.length)
        this.#ledger.define(limit.name, this.#policies[act.policy % this.#policies.length]!, this.#nowMs)
        // Receipts of a limit that is gone cannot be told from its successor's after a crash.
        return this.#commit()
      }
      case "commit":
        return this.#commit()
      case "verify":
        expect((await this.#ledger.verify()).replayEqualsLive).toBe(true)
        return this.#noteDurable()
      case "compact":
        await this.#ledger.compact()
        return this.#noteDurable()
      case "begin": {
        const compaction = this.#ledger.compact()
        const end = () => {
          if (this.#compaction === compaction) this.#compaction = null
        }
        this.#compaction = compaction
        // A crash ends it.
        compaction.then(end, end)
        return
      }
      case "reopen": {
        // Until it has begun, a compaction may still let go of names and statistics that are too old.
        await this.#compaction
        const before = fromNowOn(this.seen(), this.#nowMs)
        await this.#ledger.close()
        this.#ledger = await Ledger.open(this.#port, this.#options)
        expect(fromNowOn(this.seen(), this.#nowMs)).toEqual(before)
        return this.#noteDurable()
      }
      case "crash": {
        this.#ledger.abandon()
        this.#compaction = null
        this.#ledger = await Ledger.open(this.#port, this.#options)
        this.#findDurable()
      }
    }
  }

  /** What is in the file is the last state that was acknowledged, or one that came after. */
  #findDurable(): void {
    // A compaction takes its time to forget names: the log forgets them where it began.
    const textOf = (seen: readonly string[]) => seen.filter((line) => !/^\d+ names /.test(line)).join("\n")
    const found = this.#maybeDurable.findLast(({ seen, atMs }) => textOf(this.seen(atMs)) === textOf(seen))
    if (found === undefined) expect(this.seen(this.#durableAtMs)).toEqual(this.#durable)
    this.#receipts.length = found?.receipts ?? this.#durableReceipts
    this.#durableReceipts = this.#receipts.length
    this.#durableAtMs = found?.atMs ?? this.#durableAtMs
    this.#durable = this.seen(this.#durableAtMs)
    this.#maybeDurable = []
  }

  #limit(number: number): LedgerLimit {
    return this.#ledger.limit(LIMITS[number]!)!
  }

  #note(limit: LedgerLimit, decision: LimitDecision): void {
    const { receipt, key: _, ...rest } = decision.toJSON()
    this.answers.push(JSON.stringify(rest))
    if (receipt !== undefined) this.#receipts.push({ limit: limit.name, receipt })
  }

  #group(keys: readonly number[], units: number): void {
    const checks = keys.map((key) => ({ limit: this.#limit(key % 3), key: KEYS[key]!, cost: units }))
    try {
      const answers = this.#ledger.checkAll(checks, this.#nowMs)
      const charged = answers.filter(({ decision }) => decision.receipt !== undefined).length
      if (units > 0 && charged !== 0) expect(charged).toBe(checks.length)
      for (const [index, { decision }] of answers.entries()) this.#note(checks[index]!.limit, decision)
    } catch (error) {
      if (!(error instanceof CostError)) throw error
      this.answers.push(error.message)
    }
  }

  #check(limit: LedgerLimit, key: string, units: number, id?: string): void {
    try {
      this.#note(limit, this.#ledger.check(limit, key, units, this.#nowMs, id).decision)
    } catch (error) {
      // The id of a call may have been admitted with another cost.
      if (!(error instanceof CostError) && !(id !== undefined && error instanceof RangeError)) throw error
      this.answers.push(error.message)
    }
  }
}

/** What every key would be told around a time, and what is known of it: a line each. */
export function seenOf(ledger: Ledger, aroundMs: number): readonly string[] {
  const timesMs = [-4_000, 0, 1, 2_500].map((by) => Math.min(Math.max(0, aroundMs + by), MAX_TIME_MS))
  return ledger.limits.flatMap((limit) => {
    const { number, policy } = limit
    const keys = limit.openKeys()
    return [
      `${number} ${policy.canonical} ${keys.charges} charges`,
      `${number} names ${JSON.stringify([...ledger.namesOf(limit)].sort())}`,
      ...KEYS.flatMap((key, index) => [
        `${number} ${index} ${JSON.stringify(keys.stats(key))}`,
        `${number} ${index} blocked until ${keys.blockedUntilMs(key)}`,
        ...timesMs.map((timeMs) => {
          const { reason, retryAfterMs, resetAfterMs, remaining, rules = [] } = keys.peek(key, 1, timeMs)
          const told = rules.map((rule) => [rule.remaining, rule.retryAfterMs, rule.resetAfterMs])
          return `${number} ${index} ${timeMs} ${reason} ${remaining} ${retryAfterMs} ${resetAfterMs} ${JSON.stringify(told)}`
        }),
      ]),
    ]
  })
}

/** Without what would be told of the time before now, which a compaction may forget, and ended blocks. */
export function fromNowOn(seen: readonly string[], nowMs: number): readonly string[] {
  return seen.filter((line) => !line.includes(` ${nowMs - 4_000} `) && !line.includes("blocked until"))
}
