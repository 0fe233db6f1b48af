import { DurableObject } from "cloudflare:workers"
import type { Drawn, DrawRequest } from "../src/edge/lease-draw.js"
import { isLeaseReceipt } from "../src/edge/lease-receipt.js"
import { MAX_TIME_MS } from "../src/engine/core-exports.js"
import { foreignReceipt } from "../src/engine/receipt-id.js"
import { InternalCall } from "../src/ledger/call-name.js"
import type { Ledger, LedgerAnswer } from "../src/ledger/ledger.js"
import { strictestOf } from "../src/ledger/sync-mode.js"
import type { Verification } from "../src/ledger/verification.js"
import type { Decision } from "../src/types/decision.js"
import { CostError } from "../src/types/errors.js"
import type { AllDecision, KeyStats, KeyStatus } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { ChargeHolders } from "./charge-holders.js"
import { drawUnits } from "./draw-units.js"
import { ObjectChecks } from "./object-checks.js"
import { ObjectCounts, type ObjectReport } from "./object-counts.js"
import { ObjectLedger } from "./object-ledger.js"
import { type LimitToChange, type LimitToLookAt, ObjectLimits } from "./object-limits.js"
import { holdsManyKeys } from "./object-name.js"
import { SpentUnits } from "./spent-units.js"
import type { KeyCheck, Subject, SubjectCheck, SubjectText } from "./subject.js"
import { type ReadSubject, SubjectReader } from "./subject-reader.js"
import { toldText } from "./told-decision.js"

const NOTHING_TO_VERIFY: Verification = {
  rows: 0,
  segments: 0,
  bytes: 0,
  records: 0,
  sequence: 0,
  coveredSequence: 0,
  replayEqualsLive: true,
}

/**
 * The Durable Object that keeps one key of one limit, or a shard's or owner's many: a ledger, and the only writer of
 * it.
 *
 * An admission is answered when its charge is durable, or as `Subject.sync` says. Checks that arrive together share one
 * row. A denial writes nothing. When the keys have been full again for an hour and nobody asked, an alarm wipes the
 * storage, and nothing is left to pay for; the next check starts anew. A question writes nothing of its own, and holds
 * no wipe up. Where it is the first call after a crash under `ahead` or `batch`, or after an eviction under `batch`,
 * opening the log writes one row, which says that the log was left open.
 *
 * Callers may send several policies, as while a deployment replaces isolates. One that the object never saw decides at
 * once. One that was superseded decides again when the policy in force has not been sent for 60 s; until then its calls
 * are decided under the one in force, which the decision names. Where callers say which definition of the limit theirs
 * is of, the latest decides at once. A question is answered under the policy that would decide a check, and changes
 * none. Each change leaves what was used capped at the new capacity, and so may free the difference of two capacities
 * once.
 */
export class LimiterObject extends DurableObject {
  readonly #home: ObjectLedger
  readonly #counts = new ObjectCounts()
  readonly #reader = new SubjectReader()
  readonly #limits: ObjectLimits
  readonly #holders = new ChargeHolders()
  readonly #checks = new ObjectChecks(this.#counts, this.#holders)
  readonly #spent = new SpentUnits()

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    const holdsMany = holdsManyKeys(ctx.id.name)
    this.#home = new ObjectLedger(this.ctx.storage, () => this.now(), { holdsMany })
    this.#limits = new ObjectLimits(this.#home)
  }

  /** The object's time; whole ms. */
  protected now(): number {
    return Date.now()
  }

  /**
   * Asks and charges. What comes in and goes out crosses in little time, for this is most of what is asked.
   *
   * @param id names the call: repeated within 5 minutes with the same cost, its admission is told again with its
   *   receipt, and charges once
   * @param maxDelayMs as that of a `SubjectCheck`
   * @returns the decision, to be read by `readRpcDecision`
   * @throws {CostError} {KeyError} {PolicyError} {RangeError} {StoreCorrupt} {StoreVersion} {StoreUnavailable}
   */
  decide(key: string, text: SubjectText, cost: number, id?: string, maxDelayMs?: number): string | Promise<string> {
    const sent = this.#reader.readText(text)
    if (cost === 0) return this.#askForNothing(sent, key, id)
    const decide = (asked: LimitToChange) => {
      const { ledger, limit, nowMs } = asked
      const answer = this.#checks.one(asked, { key, cost, id, maxDelayMs })
      const told = toldText(answer.decision, limit, sent.policy, nowMs)
      return answer.needsCommit ? ledger.commit().then(() => told) : told
    }
    if (cost <= sent.maximumCost) return this.#limits.ask(sent, decide)
    const refuse = () => {
      throw new CostError(key, cost, sent.maximumCost)
    }
    return this.#limits.askKnown(sent, refuse, decide)
  }

  /**
   * Asks and charges one check after the other, each on its own, in one call and one commit.
   *
   * @param checks of one limit, each as for `decide`
   * @returns in their order the decision as from `decide`, or the error of this check alone
   * @throws {PolicyError} {StoreCorrupt} {StoreVersion} {StoreUnavailable} where none is decided, or what was may be
   *   lost
   */
  async decideEach(text: SubjectText, checks: readonly KeyCheck[]): Promise<(string | Error)[]> {
    const sent = this.#reader.readText(text)
    const decide = async (asked: LimitToChange) => {
      const { ledger, limit, nowMs } = asked
      const answers = this.#checks.each(asked, checks)
      // Before anybody else may change the policy.
      const told = answers.map((answer) =>
        answer instanceof Error ? answer : toldText(answer.decision, limit, sent.policy, nowMs),
      )
      if (answers.some((answer) => !(answer instanceof Error) && answer.needsCommit)) await ledger.commit()
      return told
    }
    if (checks.some(({ cost }) => cost <= sent.maximumCost)) return this.#limits.ask(sent, decide)
    const refuse = () => checks.map(({ key, cost }) => new CostError(key, cost, sent.maximumCost))
    return this.#limits.askKnown(sent, refuse, decide)
  }

  /**
   * Asks and charges all or nothing, in one transaction.
   *
   * @param checks at least one, no limit and key twice
   * @param id the call's; an item that has no id of its own is named by this one and its place
   */
  async checkAll(checks: readonly SubjectCheck[], id: string): Promise<AllDecision> {
    const sents = checks.map(({ subject }) => this.#reader.read(subject))
    const sync = strictestOf(sents.map((sent) => sent.sync))
    const decide = (ledger: Ledger, nowMs: number) => {
      const items = checks.map(({ subject: { key }, cost, id: given, maxDelayMs }, index) => {
        const limit = this.#limits.limitFor(ledger, sents[index]!, nowMs)
        const name = given ?? new InternalCall(`${id}:${index}`)
        const { policy } = sents[index]!
        return { limit, key, cost, id: name, maxDelayMs, sent: policy, isNamedByCaller: given !== undefined }
      })
      return this.#checks.all(ledger, nowMs, items, id)
    }
    const above = checks.flatMap(({ cost }, index) => (cost > sents[index]!.maximumCost ? [index] : []))
    if (above.length === 0) return this.#home.ask(sync, decide)
    const ofAbove = above.map((index) => sents[index]!)
    const refuse = (place: number) => {
      const { subject, cost } = checks[above[place]!]!
      throw new CostError(subject.key, cost, ofAbove[place]!.maximumCost)
    }
    return this.#limits.ifKnown(ofAbove, refuse, decide, sync)
  }

  /**
   * Asks and charges, and grants more units to be spent elsewhere: those for whom others wait, at most half of what is
   * left then, and none where `ifBusy` and this object is not asked often, or under a `leaky_bucket`.
   */
  async draw(subject: Subject, request: DrawRequest): Promise<Drawn> {
    const draw = (asked: LimitToChange) => drawUnits(asked, subject.key, request, this.#counts)
    return this.#limits.ask(this.#reader.read(subject), draw)
  }

  /** Asks and charges nothing. */
  async peek(subject: Subject, cost: number, id?: string): Promise<Decision> {
    return this.#limits.look(this.#reader.read(subject), async (asked) => {
      const { decision, needsCommit } = peekAt(asked, subject.key, cost, id)
      // Before anybody else may change the policy.
      const told = decision.toJSON()
      if (needsCommit) await asked.ledger?.commit()
      return told
    })
  }

  /** `peek` of several checks; `null` for one that has no answer. */
  async peekAll(checks: readonly SubjectCheck[]): Promise<(Decision | null)[]> {
    return Promise.all(checks.map(({ subject, cost, id }) => this.peek(subject, cost, id).catch(() => null)))
  }

  /** A check of cost 0, which counts as one and is a question. */
  async #askForNothing(sent: ReadSubject, key: string, id: string | undefined): Promise<string> {
    return this.#limits.look(sent, (asked) => {
      // No admission is of cost 0, so none is told again.
      const answer = peekAt(asked, key, 0, id)
      this.#counts.check(asked.nowMs, answer)
      return JSON.stringify(answer.decision)
    })
  }

  /** Takes units whatever is left, into debt if need be. */
  async charge(subject: Subject, units: number): Promise<void> {
    await this.#limits.ask(this.#reader.read(subject), ({ ledger, limit, nowMs }) => {
      ledger.charge(limit, subject.key, units, nowMs)
      return ledger.commit()
    })
  }

  /**
   * Settles a receipt once, by units as src/engine/settlement.ts has them.
   *
   * One of units that were spent from a lease gives nothing back here, for the draw's own receipt does, and is charged
   * for once while this object is in memory.
   *
   * @param call the call of `checkAll` that gives up what it charged under an id that others know too; absent where a
   *   caller settles what was admitted
   * @throws {RangeError} where the receipt is not of this object, or of before it was wiped
   */
  async settle(subject: Subject, receipt: Receipt, units: number, call?: string): Promise<boolean> {
    const isHeld = () => call === undefined || this.#holders.giveUp(receipt.id, call)
    const refuse = () => {
      if (isHeld()) throw foreignReceipt(receipt.id)
      return false
    }
    return this.#limits.askKnown(this.#reader.read(subject), refuse, async ({ ledger, limit, nowMs }) => {
      if (!isHeld()) return false
      const isSettled = isLeaseReceipt(receipt)
        ? this.#spent.settle(ledger, limit, receipt, units, nowMs)
        : ledger.settle(limit, receipt, units, nowMs)
      // Also where it was settled before: perhaps by a call whose commit is still on its way.
      await ledger.commit()
      return isSettled
    })
  }

  /** Denies the key for a time from now, in place of an earlier block. */
  async block(subject: Subject, durationMs: number): Promise<void> {
    await this.#limits.ask(this.#reader.read(subject), ({ ledger, limit, nowMs }) => {
      ledger.block(limit, subject.key, Math.min(nowMs + durationMs, MAX_TIME_MS), nowMs)
      return ledger.commit()
    })
  }

  /** Ends a block. Whether there was one that still lasted. */
  async unblock(subject: Subject): Promise<boolean> {
    return this.#limits.askKnown(this.#reader.read(subject), nothingHad, async ({ ledger, limit, nowMs }) => {
      const had = ledger.unblock(limit, subject.key, nowMs)
      // Also where there was none: perhaps a call ended it whose commit is still on its way.
      await ledger.commit()
      return had
    })
  }

  /** Makes the key's quota full and ends its block. Whether there was anything to forget. */
  async reset(subject: Subject): Promise<boolean> {
    return this.#limits.askKnown(this.#reader.read(subject), nothingHad, async ({ ledger, limit, nowMs }) => {
      const had = ledger.reset(limit, subject.key, nowMs)
      await ledger.commit()
      return had
    })
  }

  async status(subject: Subject): Promise<KeyStatus> {
    return this.#limits.look(this.#reader.read(subject), ({ limit, nowMs }) =>
      limit.openKeys().status(subject.key, nowMs),
    )
  }

  async stats(subject: Subject): Promise<KeyStats> {
    return this.#limits.look(this.#reader.read(subject), ({ limit }) => limit.openKeys().stats(subject.key))
  }

  /** Reads the whole log anew and compares it with the live state. @throws {StoreCorrupt} {StoreVersion} */
  async verify(): Promise<Verification> {
    return this.#home.look("always", (ledger) => ledger?.verify() ?? NOTHING_TO_VERIFY)
  }

  async report(): Promise<ObjectReport> {
    const { admitted, denied, calls } = this.#counts
    const { rowsWritten, commits } = this.#home
    return { admitted, denied, rowsWritten, commits, calls }
  }

  override async alarm(): Promise<void> {
    await this.#home.alarm()
  }
}

function peekAt(
  { ledger, limit, nowMs }: LimitToLookAt,
  key: string,
  cost: number,
  id: string | undefined,
): LedgerAnswer {
  if (ledger !== null) return ledger.peek(limit, key, cost, nowMs, id)
  return { decision: limit.openKeys().peek(key, cost, nowMs), needsCommit: false }
}

/** What a verb tells that found nothing to undo. */
function nothingHad(): boolean {
  return false
}
