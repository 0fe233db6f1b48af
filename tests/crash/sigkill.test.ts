import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import type { Decision } from "../../src/types/decision.js"
import type { KeyStatus } from "../../src/types/limiter.js"
import { WorkerdProcess } from "./workerd-process.js"

/** Rounds of load, crash and recovery; more by the environment. */
const ROUNDS = Number(process.env["SLUICE_CRASH_ROUNDS"] ?? 24)
const CLIENTS = 12
/** The moments of the crash, after the load began. */
const LOAD_MS = { least: 5, most: 250 }
/** Every so many rounds the recovery is killed as well. */
const KILLED_RECOVERY = 4
const STARTING_MS_MOST = 150

/** Periods of ten years, so that nothing comes back while the test runs: each unit that is used stays used. */
const LIMITS = {
  window: { limit: 1_000_000, policy: "1000000/520w fixed_window" },
  arrival: { limit: 20_000, policy: "20000/520w gcra" },
  log: { limit: 1_000_000, policy: "1000000/520w sliding_window_log" },
  few: { limit: 400, policy: "400/520w token_bucket" },
} as const
type LimitName = keyof typeof LIMITS

/** What a key's clients know of it. */
class Account {
  readonly name: LimitName
  readonly key: string
  /** Units that are used by the last recovery's word. */
  used = 0
  /** Of this round: admissions that a client was told of, and checks that nobody was told of. */
  admitted = 0
  unanswered = 0
  admittedEver = 0
  readonly receipts = new Set<string>()

  constructor(name: LimitName, key: string) {
    this.name = name
    this.key = key
  }

  get limit(): number {
    return LIMITS[this.name].limit
  }

  path(verb: string): string {
    return `/${verb}/${this.name}/${this.key}`
  }
}

/** An admission that a client was told of. */
function note(account: Account, receiptId: string): void {
  account.admitted += 1
  account.admittedEver += 1
  account.receipts.add(receiptId)
}

/** Asks for one key after the other until the process is gone. */
async function client(workerd: WorkerdProcess, accounts: readonly Account[], first: number): Promise<void> {
  for (let turn = first; ; turn++) {
    const account = accounts[turn % accounts.length]!
    try {
      const { allowed, receipt } = await workerd.ask<Decision>(account.path("check"))
      if (allowed) note(account, receipt!.id)
    } catch {
      account.unanswered += 1
      return
    }
  }
}

/** Compares what a recovered object says with what the clients were told. */
async function audit(workerd: WorkerdProcess, account: Account, round: string): Promise<void> {
  const { remaining } = await workerd.ask<KeyStatus>(account.path("status"))
  const used = account.limit - remaining
  const least = account.used + account.admitted
  const most = Math.min(account.limit, least + account.unanswered)
  expect(used, `${account.name}/${account.key} in ${round}: an admission was lost`).toBeGreaterThanOrEqual(least)
  expect(used, `${account.name}/${account.key} in ${round}: more is used than was asked`).toBeLessThanOrEqual(most)
  const verification = await workerd.ask<{ replayEqualsLive: boolean }>(account.path("verify"))
  expect(verification.replayEqualsLive, `${account.name}/${account.key} in ${round}`).toBe(true)
  account.used = used
  account.admitted = 0
  account.unanswered = 0
}

test(
  `workerd killed in ${ROUNDS} rounds loses no admission and admits no more than the limit`,
  async () => {
    const policies = Object.fromEntries(Object.entries(LIMITS).map(([name, { policy }]) => [name, policy]))
    await using workerd = await WorkerdProcess.of("../workerd/crash-worker.ts", { POLICIES: JSON.stringify(policies) })
    const window = new Account("window", "hot")
    const others = (["arrival", "log", "few"] as const).map((name) => new Account(name, "hot"))
    const keys = [window, ...others]

    for (let round = 1; round <= ROUNDS; round++) {
      const loadMs = LOAD_MS.least + Math.random() * (LOAD_MS.most - LOAD_MS.least)
      await workerd.start()
      // A key of this round's own is new when the crash comes.
      const fresh = new Account("window", `round-${round}`)
      // One hot key at every second turn, the others share the rest.
      const asked = [...others, fresh].flatMap((account) => [window, account])
      const clients = Array.from({ length: CLIENTS }, (_, index) => client(workerd, asked, index))
      await sleep(loadMs)
      await workerd.kill()
      await Promise.all(clients)
      if (round % KILLED_RECOVERY === 0) await workerd.crashAfter(Math.random() * STARTING_MS_MOST)

      await workerd.start()
      const name = `round ${round}, killed after ${loadMs.toFixed(1)} ms`
      for (const account of [...keys, fresh]) await audit(workerd, account, name)
      await workerd.kill()
    }

    // What is left of the small limit is admitted, and then nothing more.
    await workerd.start()
    const few = others.at(-1)!
    for (let left = few.limit - few.used; left >= 0; left--) {
      const { allowed, receipt } = await workerd.ask<Decision>(few.path("check"))
      expect(allowed).toBe(left > 0)
      if (allowed) note(few, receipt!.id)
    }
    await audit(workerd, few, "the end")
    expect(few.used).toBe(few.limit)

    for (const { admittedEver, limit, name, receipts, used } of keys) {
      expect(admittedEver, `${name}: admitted by what clients were told`).toBeGreaterThan(0)
      expect(admittedEver, `${name}: admitted by what clients were told`).toBeLessThanOrEqual(Math.min(limit, used))
      expect(receipts.size, `${name}: no receipt was given twice`).toBe(admittedEver)
    }
  },
  ROUNDS * 5_000,
)
