import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import { Account, POLICIES } from "./account.js"
import { WorkerdProcess } from "./workerd-process.js"

const { SLUICE_CRASH_ROUNDS } = process.env
/** Rounds of load, crash and recovery; more by the environment. */
const ROUNDS = Number(SLUICE_CRASH_ROUNDS ?? 24)
const ROUND_MS_MOST = 5_000
const CLIENTS = 16
/** A crash comes after at most so long a load, or on so many answers: then what was just told must be durable. */
const LOAD_MS_MOST = 200
const ANSWERS_MOST = 150
/** Every so many rounds the recovery is killed as well, while it starts. */
const KILLED_RECOVERY = 4
const STARTING_MS_MOST = 150

/** Asks for the accounts' keys one after the other until the process is gone. `onAnswer` hears of every answer. */
async function client(
  workerd: WorkerdProcess,
  accounts: readonly Account[],
  first: number,
  onAnswer: () => void,
): Promise<void> {
  for (let turn = first; ; turn++) {
    const decision = await accounts[turn % accounts.length]!.check(workerd)
    if (decision === null) return
    onAnswer()
  }
}

/** Loads the process and kills it at a random moment. Tells which. */
async function crashUnderLoad(workerd: WorkerdProcess, accounts: readonly Account[], round: number): Promise<string> {
  const loadMs = Math.random() * LOAD_MS_MOST
  const killedOn = round % 2 === 0 ? 1 + Math.floor(Math.random() * ANSWERS_MOST) : Number.POSITIVE_INFINITY
  let answers = 0
  const onAnswer = () => {
    answers += 1
    if (answers === killedOn) void workerd.kill()
  }
  const clients = Array.from({ length: CLIENTS }, (_, index) => client(workerd, accounts, index, onAnswer))
  if (killedOn === Number.POSITIVE_INFINITY) {
    await sleep(loadMs)
    await workerd.kill()
  }
  await Promise.all(clients)
  return `killed in round ${round} after ${answers} answers`
}

test(
  `workerd killed in ${ROUNDS} rounds loses no admission and admits no more than the limit`,
  async () => {
    await using workerd = await WorkerdProcess.of("../workerd/crash-worker.ts", { POLICIES })
    const hot = new Account("window", "hot")
    const few = new Account("few", "hot")
    const others = [new Account("arrival", "hot"), new Account("log", "hot"), few]

    for (let round = 1; round <= ROUNDS; round++) {
      await workerd.start()
      // A process that has just begun spends most of its time on that; so it is warm when the load begins.
      for (const account of [hot, ...others]) await account.status(workerd)
      // A key of this round's own is new when the crash comes. One hot key comes at every second turn.
      const fresh = new Account("window", `round-${round}`)
      const crash = await crashUnderLoad(
        workerd,
        [...others, fresh].flatMap((account) => [hot, account]),
        round,
      )
      if (round % KILLED_RECOVERY === 0) await workerd.crashAfter(Math.random() * STARTING_MS_MOST)

      await workerd.start()
      for (const account of [hot, ...others, fresh]) await account.audit(workerd, crash)
      await workerd.kill()
    }

    // What is left of the small limit is admitted, and then nothing more.
    await workerd.start()
    for (let left = few.left; left >= 0; left--) {
      expect(await few.check(workerd)).toMatchObject({ allowed: left > 0 })
    }
    await few.audit(workerd, "in the end")
    expect(few.left).toBe(0)
  },
  ROUNDS * ROUND_MS_MOST,
)
