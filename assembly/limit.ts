import * as algorithms from "./algorithms"
import { fitsFastPath } from "./algorithms/arrival-time"
import { giveSchedule, takeSchedule } from "./hash"
import { allocate, free } from "./heap"
import { readRule } from "./read-rule"
import { RULE_BYTES, RULE_FIELDS, Rule } from "./rule"
import { STATE_BYTES } from "./state"
import { STATS_BYTES } from "./stats"
import { freeTable } from "./table/remove"
import { CELL_HEAD, Table, initTable } from "./table/table"
import { nextCell, startWalk } from "./table/walk"

/*
 * A limit: the rules of one policy and the cells of its keys. A key is in a limit's tables only while it has
 * something to tell: used units, a block, statistics.
 *
 *   cells   hash → one 16-byte state per rule
 *   blocks  hash → the time until which the key is denied (f64)
 *   stats   hash → counts, where asked for
 *
 * This file says what a limit is, and makes and frees it. What is done with its keys has files of its own: decide,
 * usage, block, stats; cell, room and sweep are about cells that come and go.
 */

/** What happens to a new key when `maxKeys` are held and none of its neighbours is idle. */
export const EVICT_NEAREST_FULL: i32 = 0
export const DENY_NEW: i32 = 1
/**
 * There is no bound, and only a refund, a reset, a sweep or a save drops a cell: so the calls alone decide what is
 * held.
 */
export const KEEP_ALL: i32 = 2

@unmanaged
export class Limit {
  rules: usize
  ruleCount: i32
  onFull: i32
  blockMs: i64
  /** The smallest capacity of the rules: no cost above it can ever pass. */
  maximumCost: i64
  maxKeys: u32
  keepsStats: bool
  /**
   * Decided in one pass, by `decideFast`, while nobody is blocked: one rule that fits it, no blocks of its own, no
   * statistics.
   */
  hasFastPath: bool
  /** Has the fast path, and what a charge of one unit says can be told in short. */
  hasBriefAnswer: bool
  /** Whether it is being saved: the groups of a key are saved before a call looks at them. See save.ts. */
  isSaving: bool
  schedule: usize
  cells: Table
  blocks: Table
  stats: Table
  /** The save that is under way. Its place is behind the limit: one can be begun where there is no memory. */
  save: Save | null
  /** How many saves were begun. */
  saves: u32
}

/** A save of a limit that is under way. */
@unmanaged
export class Save {
  /** Cells that are idle, and blocks that have ended, at this time are dropped; none where it is −1. */
  idleAtMs: i64
  /** Statistics that were counted last before this time are dropped; none where it is 0. */
  statsSinceMs: f64
  /** Where the walk over all groups stands. */
  kind: i32
  segment: u32
  group: u32
  /** Blocks that are full, the first and the last of them; and one of each kind that is being filled. */
  first: usize
  last: usize
  filling0: usize
  filling1: usize
  filling2: usize
  /** Whether there was no memory for a cell. */
  isLost: bool
}

const LIMIT_BYTES: usize = offsetof<Limit>() + offsetof<Save>()

/** Where the save of a limit lies while it is under way. */
export function saveOf(limit: Limit): Save {
  return changetype<Save>(changetype<usize>(limit) + offsetof<Limit>())
}

// @ts-ignore: decorator
@inline
export function ruleAt(limit: Limit, index: i32): Rule {
  return changetype<Rule>(limit.rules + <usize>index * RULE_BYTES)
}

// @ts-ignore: decorator
@inline
export function stateAt(states: usize, index: i32): usize {
  return states + <usize>index * STATE_BYTES
}

export function newLimit(input: usize, ruleCount: i32, seedLow: u64, seedHigh: u64): Limit | null {
  const limit = changetype<Limit>(allocate(LIMIT_BYTES))
  const rules = allocate(<usize>ruleCount * RULE_BYTES)
  const schedule = takeSchedule(seedLow, seedHigh)
  const cells = allocate(offsetof<Table>())
  const blocks = allocate(offsetof<Table>())
  const stats = allocate(offsetof<Table>())
  if (changetype<usize>(limit) == 0 || rules == 0 || schedule == 0 || cells == 0 || blocks == 0 || stats == 0) {
    free(stats, offsetof<Table>())
    free(blocks, offsetof<Table>())
    free(cells, offsetof<Table>())
    if (schedule) giveSchedule(schedule)
    free(rules, <usize>ruleCount * RULE_BYTES)
    free(changetype<usize>(limit), LIMIT_BYTES)
    return null
  }
  limit.rules = rules
  limit.ruleCount = ruleCount
  limit.schedule = schedule
  limit.maximumCost = i64.MAX_VALUE
  for (let index = 0; index < ruleCount; index++) {
    readRule(ruleAt(limit, index), input + <usize>(index * RULE_FIELDS * 8))
    limit.maximumCost = min(limit.maximumCost, ruleAt(limit, index).capacity)
  }
  limit.cells = changetype<Table>(cells)
  limit.blocks = changetype<Table>(blocks)
  limit.stats = changetype<Table>(stats)
  initTable(limit.cells, <usize>ruleCount * STATE_BYTES)
  initTable(limit.blocks, 8)
  initTable(limit.stats, STATS_BYTES)
  return limit
}

/** Finds out whether a limit has the fast path, and whether its answers can be told in short. */
export function findFastPath(limit: Limit): void {
  const rule = ruleAt(limit, 0)
  const isOne = limit.ruleCount == 1 && algorithms.isArrivalTime(rule)
  limit.hasFastPath = isOne && fitsFastPath(rule) && limit.blockMs == 0 && !limit.keepsStats
  limit.hasBriefAnswer = limit.hasFastPath && rule.capacity <= i32.MAX_VALUE && !rule.delays
}

export function freeLimit(limit: Limit): void {
  startWalk(0, 0)
  for (let cell = nextCell(limit.cells, u32.MAX_VALUE); cell; cell = nextCell(limit.cells, u32.MAX_VALUE)) {
    releaseStates(limit, cell + CELL_HEAD)
  }
  freeTable(limit.cells)
  freeTable(limit.blocks)
  freeTable(limit.stats)
  free(changetype<usize>(limit.cells), offsetof<Table>())
  free(changetype<usize>(limit.blocks), offsetof<Table>())
  free(changetype<usize>(limit.stats), offsetof<Table>())
  giveSchedule(limit.schedule)
  free(limit.rules, <usize>limit.ruleCount * RULE_BYTES)
  free(changetype<usize>(limit), LIMIT_BYTES)
}

/** Frees what the states of a key hold outside of them. */
export function releaseStates(limit: Limit, states: usize): void {
  for (let index = 0; index < limit.ruleCount; index++) algorithms.release(ruleAt(limit, index), stateAt(states, index))
}
