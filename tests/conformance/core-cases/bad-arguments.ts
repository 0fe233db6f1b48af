import { ALGORITHMS } from "../../../src/types/algorithm.js"
import { same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, type CoreLimitOptions, type CoreRule, TEN_A_SECOND } from "../core-host.js"

const NOW_MS = 1_699_999_200_000
const BAD_ARGUMENT = -1
const BAD_LENGTHS = [0, -1, 513, 2 ** 31 - 1, -(2 ** 31)]
const BAD_UNITS = [-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 31 + 1]
const BAD_TIMES = [-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 47]
const STEPS: CoreRule = { ...TEN_A_SECOND, algorithm: 6, amount: 5, everyMs: 500 }

/** Everything that a limit and the last verdict say. */
function everything(host: CoreHost, limit: number): unknown {
  const saved = [0, 1, 2].map((kind) => host.save(limit, kind, NOW_MS))
  return { saved, verdict: host.verdict(8), bytes: host.exports.allocatedBytes() }
}

export const badArgumentCases: readonly CoreCase[] = [
  {
    name: "bad arguments: every verb returns BAD_ARGUMENT and changes nothing",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      host.check(limit, "a", 4, NOW_MS)
      exports.block(limit, host.key("b"), NOW_MS + 1_000, NOW_MS)
      const length = host.key("a")
      const before = everything(host, limit)
      const bad = (outcome: number, what: string) => {
        same(outcome, BAD_ARGUMENT, what)
        same(everything(host, limit), before, `the limit after ${what}`)
      }
      for (const wrong of BAD_LENGTHS) {
        bad(exports.check(limit, wrong, 1, NOW_MS), `check with a key of ${wrong} bytes`)
        bad(exports.checkUnit(limit, wrong, NOW_MS), `checkUnit with a key of ${wrong} bytes`)
        bad(exports.peek(limit, wrong, 1, NOW_MS), `peek with a key of ${wrong} bytes`)
        bad(exports.charge(limit, wrong, 1, NOW_MS), `charge with a key of ${wrong} bytes`)
        bad(exports.refund(limit, wrong, 1, NOW_MS, NOW_MS), `refund with a key of ${wrong} bytes`)
        bad(exports.block(limit, wrong, NOW_MS + 1, NOW_MS), `block with a key of ${wrong} bytes`)
        bad(exports.unblock(limit, wrong), `unblock with a key of ${wrong} bytes`)
        bad(exports.reset(limit, wrong, NOW_MS), `reset with a key of ${wrong} bytes`)
        bad(exports.noteDenials(limit, wrong, 1, 1, NOW_MS), `noteDenials with a key of ${wrong} bytes`)
        same(exports.blockedUntil(limit, wrong), 0, `blockedUntil with a key of ${wrong} bytes`)
        same(exports.stats(limit, wrong), 0, `stats with a key of ${wrong} bytes`)
      }
      for (const wrong of BAD_UNITS) {
        bad(exports.check(limit, length, wrong, NOW_MS), `check of cost ${wrong}`)
        bad(exports.peek(limit, length, wrong, NOW_MS), `peek of cost ${wrong}`)
        bad(exports.charge(limit, length, wrong, NOW_MS), `charge of ${wrong} units`)
        bad(exports.refund(limit, length, wrong, NOW_MS, NOW_MS), `refund of ${wrong} units`)
        bad(exports.noteDenials(limit, length, 1, wrong, NOW_MS), `noteDenials of cost ${wrong}`)
      }
      for (const wrong of BAD_TIMES) {
        bad(exports.check(limit, length, 1, wrong), `check at ${wrong}`)
        bad(exports.checkUnit(limit, length, wrong), `checkUnit at ${wrong}`)
        bad(exports.checkUnitAgain(limit, wrong), `checkUnitAgain at ${wrong}`)
        bad(exports.peek(limit, length, 1, wrong), `peek at ${wrong}`)
        bad(exports.charge(limit, length, 1, wrong), `charge at ${wrong}`)
        bad(exports.refund(limit, length, 1, NOW_MS, wrong), `refund at ${wrong}`)
        bad(exports.refund(limit, length, 1, wrong, NOW_MS), `refund of a charge at ${wrong}`)
        bad(exports.block(limit, length, NOW_MS + 1, wrong), `block at ${wrong}`)
        bad(exports.block(limit, length, wrong, NOW_MS), `block until ${wrong}`)
        bad(exports.reset(limit, length, wrong), `reset at ${wrong}`)
        bad(exports.noteDenials(limit, length, 1, 1, wrong), `noteDenials at ${wrong}`)
        same(exports.fullAfter(limit, wrong), 0, `fullAfter at ${wrong}`)
        same(exports.sweep(limit, wrong, 1_000_000), 0, `sweep at ${wrong}`)
      }
      for (const wrong of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
        bad(exports.noteDenials(limit, length, wrong, 1, NOW_MS), `noteDenials of ${wrong} denials`)
      }
      same(everything(host, limit), before, "the limit at last")
      exports.limitFree(limit)
    },
  },
  {
    name: "bad arguments: 0, which limitNew returns for no limit, is none",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      host.check(limit, "a", 4, NOW_MS)
      const before = everything(host, limit)
      const length = host.key("a")
      const output = exports.memoryTake(64)
      const calls: readonly (readonly [string, number | undefined, number | undefined])[] = [
        ["check", exports.check(0, length, 1, NOW_MS), BAD_ARGUMENT],
        ["peek", exports.peek(0, length, 1, NOW_MS), BAD_ARGUMENT],
        ["charge", exports.charge(0, length, 1, NOW_MS), BAD_ARGUMENT],
        ["refund", exports.refund(0, length, 1, NOW_MS, NOW_MS), BAD_ARGUMENT],
        ["block", exports.block(0, length, NOW_MS + 1, NOW_MS), BAD_ARGUMENT],
        ["unblock", exports.unblock(0, length), BAD_ARGUMENT],
        ["reset", exports.reset(0, length, NOW_MS), BAD_ARGUMENT],
        ["noteDenials", exports.noteDenials(0, length, 1, 1, NOW_MS), BAD_ARGUMENT],
        ["blockedUntil", exports.blockedUntil(0, length), 0],
        ["stats", exports.stats(0, length), 0],
        ["limitKeys", exports.limitKeys(0), 0],
        ["limitBlocks", exports.limitBlocks(0), 0],
        ["sweep", exports.sweep(0, NOW_MS, 100), 0],
        ["fullAfter", exports.fullAfter(0, NOW_MS), 0],
        ["limitCarry from none", exports.limitCarry(0, limit, NOW_MS), 0],
        ["limitCarry to none", exports.limitCarry(limit, 0, NOW_MS), 0],
        ["limitSetBlock", exports.limitSetBlock(0, 1_000), 0],
        ["saveNext", exports.saveNext(0, 0, NOW_MS), 0],
        ["saveCell", exports.saveCell(0, 0, 0, output, 64), 0],
        ["loadCells", exports.loadCells(0, 0, output, 64), 0],
        ["limitFree", exports.limitFree(0) as undefined, undefined],
      ]
      for (const [name, outcome, expected] of calls) same(outcome, expected, `${name} of no limit`)
      exports.memoryGive(output, 64)
      same(everything(host, limit), before, "a limit that was not asked")
      exports.limitFree(limit)
    },
  },
  {
    name: "bad arguments: limitNew refuses a limit that cannot be, and takes no memory",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const before = exports.allocatedBytes()
      const refused = (rules: readonly CoreRule[], options: CoreLimitOptions, what: string) => {
        same(host.limit(rules, options), 0, `a limit with ${what}`)
        same(exports.allocatedBytes(), before, `the memory after a limit with ${what}`)
      }
      refused([], {}, "no rule")
      // The buffer has room for eight; the ninth would lie behind it.
      for (const count of [-1, 9, 2 ** 31 - 1]) {
        same(exports.limitNew(count, 0, 1, 0, 0, 1, 2, 3, 4), 0, `a limit with ${count} rules`)
      }
      for (const blockMs of [-1, 0.5, Number.NaN, 315_360_000_001]) {
        refused([TEN_A_SECOND], { blockMs }, `a block of ${blockMs}`)
      }
      for (const maxKeys of [0, -1, 0.5, Number.NaN, 2 ** 32]) refused([TEN_A_SECOND], { maxKeys }, `${maxKeys} keys`)
      for (const onFull of [-1, 2]) refused([TEN_A_SECOND], { onFull }, `the rule ${onFull} when full`)
      for (const keepsStats of [-1, 2]) refused([TEN_A_SECOND], { keepsStats }, `statistics ${keepsStats}`)
      const wrongRules: readonly Partial<CoreRule>[] = [
        // Numbers go from 0 to the count of names: the step bucket has one too, and no name of its own.
        ...[-1, ALGORITHMS.length + 1, 0.5, Number.NaN].map((algorithm) => ({ algorithm })),
        ...[0, -1, 0.5, Number.NaN, 2 ** 31 + 1].map((capacity) => ({ capacity })),
        ...[0, -1, 0.5, Number.NaN, 2 ** 31 + 1].map((unitsN) => ({ unitsN })),
        ...[0, -1, 0.5, Number.NaN, 315_360_000_001].map((periodP) => ({ periodP })),
        ...[0, -1, 0.5, Number.NaN, 315_360_000_001].map((periodMs) => ({ periodMs })),
        ...[-2, 0.5, Number.NaN, 1_000].map((offsetMs) => ({ offsetMs })),
        { capacity: 2 ** 31, periodP: 315_360_000_000 },
      ]
      for (const wrong of wrongRules) {
        const what = Object.entries(wrong).join("; ")
        refused([{ ...TEN_A_SECOND, ...wrong }], {}, what)
        refused([TEN_A_SECOND, { ...TEN_A_SECOND, ...wrong }], {}, `${what} in the second rule`)
      }
      const wrongSteps: readonly Partial<CoreRule>[] = [
        ...[0, 11, 0.5, Number.NaN].map((amount) => ({ amount })),
        ...[0, -1, 0.5, Number.NaN, 315_360_000_001].map((everyMs) => ({ everyMs })),
      ]
      for (const wrong of wrongSteps) refused([{ ...STEPS, ...wrong }], {}, `a step of ${Object.entries(wrong)}`)
      const good = host.limit([STEPS])
      same(host.check(good, "a", 10, NOW_MS), 1, "the outcome of a good limit")
      exports.limitFree(good)
    },
  },
  {
    name: "bad arguments: limitCarry at no time carries nothing",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const from = host.limit([TEN_A_SECOND])
      const to = host.limit([TEN_A_SECOND])
      host.check(from, "a", 4, NOW_MS)
      for (const wrong of BAD_TIMES) same(exports.limitCarry(from, to, wrong), 0, `limitCarry at ${wrong}`)
      same(exports.limitKeys(to), 0, "the number of keys carried")
      same(exports.limitKeys(from), 1, "the number of keys kept")
      exports.limitFree(from)
      exports.limitFree(to)
    },
  },
  {
    name: "bad arguments: saving and loading know three kinds of cells, and times in range",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND], { keepsStats: 1 })
      host.check(limit, "a", 4, NOW_MS)
      exports.block(limit, host.key("a"), NOW_MS + 1_000, NOW_MS)
      for (const kind of [-1, 3, 100]) {
        exports.saveStart()
        same(exports.saveNext(limit, kind, NOW_MS), 0, `saveNext of kind ${kind}`)
        const other = host.limit([TEN_A_SECOND], { keepsStats: 1 })
        const [stats] = host.save(limit, 2, NOW_MS)
        same(host.load(other, kind, stats!), 0, `loadCells of kind ${kind}`)
        exports.limitFree(other)
      }
      for (const wrong of BAD_TIMES) {
        exports.saveStart()
        same(exports.saveNext(limit, 0, wrong), 0, `saveNext at ${wrong}`)
      }
      exports.limitFree(limit)
    },
  },
]
