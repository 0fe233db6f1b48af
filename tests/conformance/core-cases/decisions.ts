import { has, same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, type CoreRule, TEN_A_SECOND } from "../core-host.js"

const NOW_MS = 1_699_999_200_000
const DENIED = 0
const ADMITTED = 1
const BLOCKED = 2
const COST_ABOVE_CAPACITY = 3
const NO_ROOM = 4

/** 4 units per minute, by each algorithm. */
const FOUR_A_MINUTE: CoreRule = { algorithm: 0, capacity: 4, unitsN: 1, periodP: 15_000, periodMs: 60_000 }
const STEPS: CoreRule = { ...FOUR_A_MINUTE, algorithm: 6, amount: 2, everyMs: 30_000 }

/** Rules, and whether what `checkUnit` says of a key that has a cell is brief. */
const UNIT_RULES: readonly { readonly what: string; readonly rule: CoreRule; readonly isBrief: boolean }[] = [
  { what: "gcra", rule: TEN_A_SECOND, isBrief: true },
  { what: "a token bucket", rule: { ...TEN_A_SECOND, algorithm: 1, capacity: 4 }, isBrief: true },
  {
    what: "a rate that is no whole number",
    rule: { ...TEN_A_SECOND, capacity: 5, unitsN: 7, periodP: 22 },
    isBrief: true,
  },
  { what: "the largest brief capacity", rule: { ...TEN_A_SECOND, capacity: 2 ** 31 - 1, periodP: 1 }, isBrief: true },
  { what: "a larger capacity", rule: { ...TEN_A_SECOND, capacity: 2 ** 31, periodP: 1 }, isBrief: false },
  {
    what: "a product of 2^62",
    rule: { ...TEN_A_SECOND, capacity: 2 ** 30, unitsN: 2 ** 31 - 1, periodP: 2 ** 32, periodMs: 2 ** 32 },
    isBrief: false,
  },
  { what: "a leaky bucket", rule: { ...TEN_A_SECOND, algorithm: 2 }, isBrief: false },
  { what: "a fixed window", rule: { ...FOUR_A_MINUTE, algorithm: 3 }, isBrief: false },
]

export const decisionCoreCases: readonly CoreCase[] = [
  {
    name: "check: decides and charges, and the verdict says the rest",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([TEN_A_SECOND])
      same(host.check(limit, "a", 4, NOW_MS), ADMITTED, "the outcome of cost 4")
      const first = { retryAfterMs: 0, delayMs: 0, binding: 0, chargedAtMs: NOW_MS, rules: [[6, 0, 400]] }
      same(host.verdict(), first, "the verdict on cost 4")
      same(host.check(limit, "a", 7, NOW_MS), DENIED, "the outcome of cost 7")
      const denied = { retryAfterMs: 100, delayMs: 0, binding: 0, chargedAtMs: NOW_MS, rules: [[6, 100, 400]] }
      same(host.verdict(), denied, "the verdict on cost 7")
      same(host.check(limit, "a", 7, NOW_MS + 99), DENIED, "the outcome 1 ms early")
      same(host.check(limit, "a", 7, NOW_MS + 100), ADMITTED, "the outcome in time")
      const last = { retryAfterMs: 0, delayMs: 0, binding: 0, chargedAtMs: NOW_MS + 100, rules: [[0, 0, 1_000]] }
      same(host.verdict(), last, "the verdict in time")
      host.exports.limitFree(limit)
    },
  },
  ...UNIT_RULES.map(
    ({ what, rule, isBrief }): CoreCase => ({
      name: `checkUnit: says of ${what} what check says, ${isBrief ? "in short" : "at length"}`,
      run(core) {
        const [host, model] = [new CoreHost(core), new CoreHost(core)]
        const limit = host.limit([rule])
        const other = model.limit([rule])
        const unitMs = Math.ceil(rule.periodP / rule.unitsN)
        // What a key without a cell is told is always in the verdict buffer.
        let nowMs = NOW_MS
        for (let step = 0; step < 60; step++) {
          nowMs += [0, 0, 1, unitMs, 0, -1, 3 * unitMs][step % 7]!
          if (step === 40) {
            host.charge(limit, "a", 7, nowMs)
            model.charge(other, "a", 7, nowMs)
          }
          const outcome = model.check(other, "a", 1, nowMs)
          const numbers = model.verdict().rules[0]
          const told = host.checkUnit(limit, step % 3 === 1 ? null : "a", nowMs)
          same({ outcome: told.outcome, numbers: told.numbers }, { outcome, numbers }, `answer ${step}`)
          const isBehind = step % 7 === 5
          if (step > 0 && !isBehind) same(told.isBrief, isBrief, `whether answer ${step} is brief`)
        }
        host.exports.limitFree(limit)
        model.exports.limitFree(other)
      },
    }),
  ),
  {
    name: "checkUnit: tells at length what is told in 2^31 ms or more",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([{ ...TEN_A_SECOND, capacity: 3, periodP: 2 ** 30 }])
      host.checkUnit(limit, "a", NOW_MS)
      same(host.checkUnit(limit, "a", NOW_MS + 1), { outcome: ADMITTED, isBrief: true, numbers: [1, 0, 2 ** 31 - 1] })
      same(host.checkUnit(limit, null, NOW_MS + 1).isBrief, false, "the third")
      const denied = { outcome: DENIED, isBrief: false, numbers: [0, 2 ** 30 - 1, 3 * 2 ** 30 - 1] }
      same(host.checkUnit(limit, null, NOW_MS + 1), denied, "the fourth")
      const { chargedAtMs, retryAfterMs } = host.verdict()
      same({ chargedAtMs, retryAfterMs }, { chargedAtMs: NOW_MS + 1, retryAfterMs: 2 ** 30 - 1 }, "the verdict")
      host.exports.limitFree(limit)
    },
  },
  {
    name: "checkUnit: leaves nothing of the largest debt",
    run(core) {
      const host = new CoreHost(core)
      // Ahead by 2^46 ms, times N: more than a word holds.
      const limit = host.limit([{ ...TEN_A_SECOND, unitsN: 3 * 2 ** 16 + 1, periodP: 2 ** 33 }])
      host.checkUnit(limit, "a", NOW_MS)
      host.charge(limit, "a", 2 ** 31, NOW_MS)
      const { outcome, numbers } = host.checkUnit(limit, "a", NOW_MS)
      same({ outcome, remaining: numbers[0] }, { outcome: DENIED, remaining: 0 }, "the answer")
      host.exports.limitFree(limit)
    },
  },
  {
    name: "checkUnitAgain: asks about the last key, of another limit too",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([{ ...TEN_A_SECOND, capacity: 2 }])
      const other = host.limit([{ ...TEN_A_SECOND, capacity: 5 }])
      host.checkUnit(limit, "a", NOW_MS)
      same(host.checkUnit(other, null, NOW_MS).numbers[0], 4, "the other limit's remaining")
      same(host.checkUnit(limit, null, NOW_MS).numbers[0], 0, "the first limit's remaining")
      host.exports.reset(limit, host.key("a"), NOW_MS)
      same(host.checkUnit(limit, null, NOW_MS).numbers[0], 1, "remaining after a reset")
      for (const each of [limit, other]) host.exports.limitFree(each)
    },
  },
  {
    name: "peek: says what check would, and stores nothing",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      for (let i = 0; i < 100; i++) same(host.peek(limit, `key ${i}`, 10, NOW_MS), ADMITTED, "the outcome")
      same(host.exports.limitKeys(limit), 0, "the number of keys")
      same(host.stats(limit, "key 0"), null, "the statistics")
      host.check(limit, "a", 10, NOW_MS)
      const before = host.save(limit, 0, NOW_MS)
      same(host.peek(limit, "a", 1, NOW_MS), DENIED, "the outcome of an empty quota")
      same(host.verdict(), { retryAfterMs: 100, delayMs: 0, binding: 0, chargedAtMs: NOW_MS, rules: [[0, 100, 1_000]] })
      same(host.save(limit, 0, NOW_MS), before, "the cells")
      host.exports.limitFree(limit)
    },
  },
  {
    name: "check: each algorithm by its number",
    run(core) {
      const host = new CoreHost(core)
      // Cost 3 of 4, then cost 2: remaining, the wait for it, and when the quota is full.
      const expected: readonly (readonly [CoreRule, number, number])[] = [
        [{ ...FOUR_A_MINUTE, algorithm: 0 }, 15_000, 45_000],
        [{ ...FOUR_A_MINUTE, algorithm: 1 }, 15_000, 45_000],
        [{ ...FOUR_A_MINUTE, algorithm: 2 }, 15_000, 45_000],
        [{ ...FOUR_A_MINUTE, algorithm: 3 }, 60_000, 60_000],
        [{ ...FOUR_A_MINUTE, algorithm: 3, offsetMs: 10_000 }, 10_000, 10_000],
        [{ ...FOUR_A_MINUTE, algorithm: 3, offsetMs: -1 }, 60_000, 60_000],
        // ⌊3·(60,000 − e)/60,000⌋ is at most 2 from e = 1 on, and 0 from e = 40,001 on.
        [{ ...FOUR_A_MINUTE, algorithm: 4 }, 60_001, 100_001],
        [{ ...FOUR_A_MINUTE, algorithm: 5 }, 60_000, 60_000],
        [STEPS, 30_000, 60_000],
      ]
      for (const [rule, waitMs, fullMs] of expected) {
        const limit = host.limit([rule])
        const what = `algorithm ${rule.algorithm}`
        same(host.check(limit, "a", 3, NOW_MS), ADMITTED, `the outcome of ${what}`)
        has(host.verdict(), { retryAfterMs: 0, delayMs: 0, rules: [[1, 0, fullMs]] }, `the verdict of ${what}`)
        same(host.check(limit, "a", 2, NOW_MS), DENIED, `the second outcome of ${what}`)
        has(host.verdict(), { retryAfterMs: waitMs, rules: [[1, waitMs, fullMs]] }, `the second verdict of ${what}`)
        same(host.check(limit, "a", 2, NOW_MS + waitMs - 1), DENIED, `the outcome of ${what} 1 ms early`)
        same(host.check(limit, "a", 2, NOW_MS + waitMs), ADMITTED, `the outcome of ${what} in time`)
        host.exports.limitFree(limit)
      }
    },
  },
  {
    name: "check: a leaky bucket tells the delay",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([{ ...TEN_A_SECOND, algorithm: 2 }])
      for (const delayMs of [0, 100, 200]) {
        same(host.check(limit, "a", 1, NOW_MS), ADMITTED, "the outcome")
        has(host.verdict(), { delayMs }, "the verdict")
      }
      host.exports.limitFree(limit)
    },
  },
  {
    name: "check: several rules, each with its own numbers",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([TEN_A_SECOND, FOUR_A_MINUTE])
      same(host.check(limit, "a", 3, NOW_MS), ADMITTED, "the outcome of cost 3")
      same(host.verdict(2), {
        retryAfterMs: 0,
        delayMs: 0,
        binding: 1,
        chargedAtMs: NOW_MS,
        rules: [
          [7, 0, 300],
          [1, 0, 45_000],
        ],
      })
      same(host.check(limit, "a", 2, NOW_MS), DENIED, "the outcome of cost 2")
      has(host.verdict(2), { retryAfterMs: 15_000, binding: 1 }, "the verdict on cost 2")
      same(host.check(limit, "a", 5, NOW_MS), COST_ABOVE_CAPACITY, "the outcome of cost 5")
      host.exports.limitFree(limit)
    },
  },
  {
    name: "charge and refund: take and give back",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      same(host.charge(limit, "a", 15, NOW_MS), ADMITTED, "the outcome of a charge")
      same(host.peek(limit, "a", 1, NOW_MS), DENIED, "the outcome in debt")
      has(host.verdict(), { retryAfterMs: 600, rules: [[0, 600, 1_500]] }, "the verdict in debt")
      same(exports.refund(limit, host.key("a"), 8, NOW_MS, NOW_MS + 100), ADMITTED, "the outcome of a refund")
      // 15 units less the 100 ms that leaked, and 8 units back less the same 100 ms.
      same(host.peek(limit, "a", 0, NOW_MS + 100), ADMITTED, "the outcome after a refund")
      has(host.verdict(), { rules: [[3, 0, 700]] }, "the verdict after a refund")
      same(exports.refund(limit, host.key("b"), 8, NOW_MS, NOW_MS), ADMITTED, "the refund of an unknown key")
      same(exports.limitKeys(limit), 1, "the number of keys")
      exports.limitFree(limit)
    },
  },
  {
    name: "since: the time from which the state of each rule counts",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const window: CoreRule = { algorithm: 3, capacity: 10, unitsN: 1, periodP: 100, periodMs: 1_000 }
      const limit = host.limit([TEN_A_SECOND, window])
      const since = (nowMs = NOW_MS + 5) => [0, 1].map((rule) => exports.since(limit, host.key("a"), rule, nowMs))
      same(since(), [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY], "of an unknown key")
      host.check(limit, "a", 1, NOW_MS + 5)
      same(since(), [NOW_MS + 5, NOW_MS], "of a charge")
      same(since(NOW_MS - 5_000), [NOW_MS + 5, NOW_MS], "of a charge, asked at a time of before")
      same(since(NOW_MS + 105), [Number.POSITIVE_INFINITY, NOW_MS], "where the first rule is full")
      host.peek(limit, "a", 1, NOW_MS - 5_000)
      same(since(), [NOW_MS + 5, NOW_MS], "after a peek of before")
      host.check(limit, "a", 1, NOW_MS - 5_000)
      same(since(NOW_MS - 5_000), [NOW_MS - 5_000, NOW_MS - 5_000], "after a check of before")
      same(exports.since(limit, host.key("a"), 2, NOW_MS), 0, "of a rule that is none")
      exports.limitFree(limit)
    },
  },
  {
    name: "block, blockedUntil, unblock: deny a key until a time",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      same(exports.blockedUntil(limit, host.key("a")), 0, "the block of a free key")
      same(exports.block(limit, host.key("a"), NOW_MS + 5_000, NOW_MS), ADMITTED, "the outcome of block")
      same(exports.blockedUntil(limit, host.key("a")), NOW_MS + 5_000, "the block")
      same(host.check(limit, "a", 1, NOW_MS + 1_000), BLOCKED, "the outcome while blocked")
      has(host.verdict(), { retryAfterMs: 4_000, rules: [[10, 0, 0]] }, "the verdict while blocked")
      same([exports.limitKeys(limit), exports.limitBlocks(limit)], [0, 1], "the numbers of keys and blocks")
      same(host.check(limit, "b", 1, NOW_MS + 1_000), ADMITTED, "the outcome of another key")
      same(exports.unblock(limit, host.key("a")), 1, "unblock of a blocked key")
      same(exports.unblock(limit, host.key("a")), 0, "unblock of a free key")
      same(exports.limitBlocks(limit), 0, "the number of blocks afterwards")
      same(host.check(limit, "a", 1, NOW_MS + 1_000), ADMITTED, "the outcome afterwards")
      exports.limitFree(limit)
    },
  },
  {
    name: "limitNew: blockMs blocks a key that is denied",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([TEN_A_SECOND], { blockMs: 60_000 })
      host.check(limit, "a", 10, NOW_MS)
      same(host.check(limit, "a", 1, NOW_MS), DENIED, "the outcome")
      has(host.verdict(), { retryAfterMs: 60_000 }, "the verdict")
      same(host.check(limit, "a", 1, NOW_MS + 59_999), BLOCKED, "the outcome 1 ms before the end")
      same(host.check(limit, "a", 1, NOW_MS + 60_000), ADMITTED, "the outcome at the end")
      host.exports.limitFree(limit)
    },
  },
  {
    name: "reset and stats: forget a key's usage, not what was counted",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      same(host.stats(limit, "a"), null, "the statistics of an unknown key")
      host.check(limit, "a", 4, NOW_MS)
      host.check(limit, "a", 5, NOW_MS + 1)
      host.check(limit, "a", 3, NOW_MS + 2)
      same(host.stats(limit, "a"), [2, 1, 9, 3, NOW_MS + 1, NOW_MS + 2, -1], "the statistics")
      same(exports.reset(limit, host.key("a"), NOW_MS + 3), 1, "reset of a used key")
      same(exports.reset(limit, host.key("a"), NOW_MS + 4), 0, "reset of a full key")
      same(host.stats(limit, "a"), [2, 1, 9, 3, NOW_MS + 1, NOW_MS + 2, NOW_MS + 4], "the statistics afterwards")
      same(host.peek(limit, "a", 10, NOW_MS + 4), ADMITTED, "the outcome afterwards")
      exports.limitFree(limit)
    },
  },
  {
    name: "noteDenials: counts what a host denied by itself",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      host.check(limit, "a", 4, NOW_MS)
      same(exports.noteDenials(limit, host.key("a"), 3, 5, NOW_MS + 7), ADMITTED, "the outcome")
      same(host.stats(limit, "a"), [1, 3, 4, 15, NOW_MS, NOW_MS + 7, -1], "the statistics")
      same(exports.noteDenials(limit, host.key("b"), 0, 5, NOW_MS), ADMITTED, "the outcome of no denial")
      same(host.stats(limit, "b"), null, "the statistics of a key with no denial")
      same(host.peek(limit, "a", 6, NOW_MS), ADMITTED, "the quota afterwards")
      exports.limitFree(limit)
    },
  },
  {
    name: "fullAfter: the longest time until a key is full or free",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      same(exports.fullAfter(limit, NOW_MS), 0, "fullAfter of no key")
      host.check(limit, "a", 4, NOW_MS)
      host.check(limit, "b", 9, NOW_MS)
      same(exports.fullAfter(limit, NOW_MS), 900, "fullAfter of two keys")
      exports.block(limit, host.key("c"), NOW_MS + 5_000, NOW_MS)
      same(exports.fullAfter(limit, NOW_MS + 100), 4_900, "fullAfter of a block")
      same(exports.fullAfter(limit, NOW_MS + 5_000), 0, "fullAfter at the end")
      exports.limitFree(limit)
    },
  },
  {
    name: "limitNew: maxKeys with DENY_NEW says NO_ROOM, with EVICT_NEAREST_FULL makes room",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const denying = host.limit([TEN_A_SECOND], { maxKeys: 2, onFull: 1 })
      host.check(denying, "a", 1, NOW_MS)
      host.check(denying, "b", 2, NOW_MS)
      same(host.check(denying, "c", 1, NOW_MS), NO_ROOM, "the outcome of a third key")
      has(host.verdict(), { retryAfterMs: 100, binding: 0 }, "the verdict on it")
      same(host.charge(denying, "c", 1, NOW_MS), NO_ROOM, "the outcome of charging it")
      same(exports.limitKeys(denying), 2, "the number of keys")
      exports.limitFree(denying)
      const evicting = host.limit([TEN_A_SECOND], { maxKeys: 2, onFull: 0 })
      host.check(evicting, "a", 1, NOW_MS)
      host.check(evicting, "b", 2, NOW_MS)
      same(host.check(evicting, "c", 1, NOW_MS), ADMITTED, "the outcome of a third key")
      same(exports.limitKeys(evicting), 2, "the number of keys")
      host.peek(evicting, "b", 0, NOW_MS)
      has(host.verdict(), { rules: [[8, 0, 200]] }, "the verdict on the key that stayed")
      exports.limitFree(evicting)
    },
  },
  {
    name: "limitSetBlock: denials from there on block for so long, and cells stay as they are",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      host.check(limit, "a", 8, NOW_MS)
      for (const blockMs of [-1, 0.5, 315_360_000_001, Number.NaN]) {
        same(exports.limitSetBlock(limit, blockMs), 0, `limitSetBlock with ${blockMs}`)
      }
      same(exports.limitSetBlock(limit, 5_000), 1, "limitSetBlock")
      same(host.check(limit, "a", 4, NOW_MS), DENIED, "the outcome of what begins a block")
      has(host.verdict(), { retryAfterMs: 5_000, rules: [[2, 200, 800]] }, "its verdict")
      same(exports.limitSetBlock(limit, 0), 1, "limitSetBlock to none")
      same(host.check(limit, "a", 1, NOW_MS + 4_999), BLOCKED, "the outcome while that block lasts")
      same(host.check(limit, "a", 10, NOW_MS + 5_000), ADMITTED, "the outcome after it")
      same(host.check(limit, "a", 1, NOW_MS + 5_000), DENIED, "the outcome of a denial without a block")
      has(host.verdict(), { retryAfterMs: 100 }, "its verdict")
      exports.limitFree(limit)
    },
  },
  {
    name: "limitCarry: what was used, blocked and counted goes to the new limit",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const from = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      host.check(from, "a", 4, NOW_MS)
      exports.block(from, host.key("b"), NOW_MS + 9_000, NOW_MS)
      const to = host.limit([{ ...FOUR_A_MINUTE, capacity: 6 }], { keepsStats: 1 })
      same(exports.limitCarry(from, to, NOW_MS + 100), 1, "limitCarry")
      exports.limitFree(from)
      host.peek(to, "a", 0, NOW_MS + 100)
      // 3 of the 4 units are left, at 15 s each.
      has(host.verdict(), { rules: [[3, 0, 45_000]] }, "the verdict on the used key")
      same(host.peek(to, "b", 1, NOW_MS + 100), BLOCKED, "the outcome of the blocked key")
      same(host.stats(to, "a")!.slice(0, 4), [1, 0, 4, 0], "the statistics")
      exports.limitFree(to)
    },
  },
  {
    name: "limitCarry: a key of which nothing is used goes to no table, though it may have statistics",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const from = host.limit([TEN_A_SECOND, FOUR_A_MINUTE], { keepsStats: 1 })
      host.check(from, "idle", 4, NOW_MS - 60_000)
      host.check(from, "used", 4, NOW_MS - 500)
      // Of the only rule that the new limit has, "idle by then" has used nothing any more.
      host.check(from, "idle by then", 4, NOW_MS - 1_000)
      const to = host.limit([{ ...TEN_A_SECOND, capacity: 20 }], { keepsStats: 1 })
      same(exports.limitCarry(from, to, NOW_MS - 200), 1, "limitCarry")
      same(exports.limitKeys(from), 3, "the keys of the old limit")
      exports.limitFree(from)
      same(exports.limitKeys(to), 1, "the keys of the new limit")
      host.peek(to, "used", 0, NOW_MS - 200)
      has(host.verdict(), { rules: [[19, 0, 100]] }, "the verdict on the used key")
      for (const key of ["idle", "idle by then"]) {
        same(host.stats(to, key)!.slice(0, 4), [1, 0, 4, 0], `the statistics of ${key}`)
      }
      exports.limitFree(to)
    },
  },
  {
    name: "sweep: removes what is idle, a budget of slots at a time",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      for (let i = 0; i < 5_000; i++) host.check(limit, `key ${i}`, 1, NOW_MS)
      same(exports.sweep(limit, NOW_MS + 99, 0xffff_ffff), 0, "a sweep while all are in use")
      let removed = 0
      let calls = 0
      for (; removed < 5_000 && calls < 1_000; calls++) {
        const now = exports.sweep(limit, NOW_MS + 100, 64)
        if (now > 64) throw new Error(`Expected at most 64 cells to go at once, ${now} went.`)
        removed += now
      }
      same(removed, 5_000, "what was removed")
      same(exports.limitKeys(limit), 0, "the number of keys")
      exports.limitFree(limit)
    },
  },
]
