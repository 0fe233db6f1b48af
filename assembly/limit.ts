import * as algorithms from "./algorithms"
import { UNDECIDED, brief, decideAlone, fitsAlone } from "./algorithms/arrival-time"
import { allocate, free } from "./heap"
import { SCHEDULE_BYTES, expandSeed } from "./hash"
import { RULE_BYTES, RULE_FIELDS, Rule, readRule } from "./rule"
import { STATS_BYTES, countDecision, noteReset } from "./stats"
import { STATE_BYTES, sinceMs } from "./state"
import { findCell } from "./table/find"
import { isCrowded, growSegment, segmentRoom } from "./table/grow"
import { insertCell } from "./table/insert"
import { freeTable, removeCell } from "./table/remove"
import { CELL_HEAD, Table, initTable } from "./table/table"
import { homeSlot, nextCell, segmentIndex, startWalk, walkEnded, walkSegment, walkSlot } from "./table/walk"

/*
 * A limit: the rules of one policy and the cells of its keys. A key is in a limit's tables only while it has
 * something to tell: used units, a block, statistics.
 *
 *   cells   hash → one 16-byte state per rule
 *   blocks  hash → the time until which the key is denied (f64)
 *   stats   hash → counts, where asked for
 */
export const RULES_MAX: i32 = 8

/** Outcomes of a decision. */
export const DENIED: i32 = 0
export const ADMITTED: i32 = 1
export const BLOCKED: i32 = 2
export const COST_ABOVE_CAPACITY: i32 = 3
export const NO_ROOM: i32 = 4

/** What happens to a new key when `maxKeys` are held and none of its neighbours is idle. */
export const EVICT_NEAREST_FULL: i32 = 0
export const DENY_NEW: i32 = 1
/** There is no bound, and only a refund, a reset, a sweep or a save drops a cell: what is held follows from the calls alone. */
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
  /** One rule that is an arrival time and `fitsAlone`, no statistics: decided in one pass while nobody is blocked. */
  isPlain: bool
  /** Plain, and what a charge of one unit says can be told in short. */
  isBrief: bool
  /** Whether it is being saved: the groups of a key are saved before a call looks at them. See save.ts. */
  isSaving: bool
  schedule: usize
  cells: Table
  blocks: Table
  stats: Table
  save: Save | null
  /** How many saves were begun. */
  saves: u32
}

/** What is being saved of a limit. */
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
}

/*
 * What a decision says, each an f64; the host reads it after the call.
 *
 *   0 retryAfterMs │ 1 delayMs │ 2 binding rule │ 3 chargedAtMs │ then per rule: remaining, retryAfterMs, resetAfterMs
 */
export const VERDICT_RULES: usize = 32
const VERDICT_RULE_BYTES: usize = 24
export const verdict = memory.data(32 + 24 * 8, 16)

/** Is added to the outcome of a decision that is told in short. */
export const BRIEF: i32 = 8

/** The state of a key that has none, and room to heal a copy when a peek must not store. */
const emptyStates = memory.data(16 * 8, 16)
const healedState = memory.data(16, 16)

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
  const limit = changetype<Limit>(allocate(offsetof<Limit>()))
  const rules = allocate(<usize>ruleCount * RULE_BYTES)
  const schedule = allocate(SCHEDULE_BYTES)
  const cells = allocate(offsetof<Table>())
  const blocks = allocate(offsetof<Table>())
  const stats = allocate(offsetof<Table>())
  if (changetype<usize>(limit) == 0 || rules == 0 || schedule == 0 || cells == 0 || blocks == 0 || stats == 0)
    return null
  limit.rules = rules
  limit.ruleCount = ruleCount
  limit.schedule = schedule
  expandSeed(schedule, seedLow, seedHigh)
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

/** Finds out which of the shorter ways of deciding fit a limit. */
export function findWays(limit: Limit): void {
  const rule = ruleAt(limit, 0)
  const isArrivalTime = limit.ruleCount == 1 && rule.algorithm <= algorithms.LEAKY_BUCKET
  limit.isPlain = isArrivalTime && fitsAlone(rule) && limit.blockMs == 0 && !limit.keepsStats
  limit.isBrief = limit.isPlain && rule.capacity <= i32.MAX_VALUE && !rule.delays
}

function releaseStates(limit: Limit, states: usize): void {
  for (let index = 0; index < limit.ruleCount; index++) algorithms.release(ruleAt(limit, index), stateAt(states, index))
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
  free(limit.schedule, SCHEDULE_BYTES)
  free(limit.rules, <usize>limit.ruleCount * RULE_BYTES)
  free(changetype<usize>(limit), offsetof<Limit>())
}

/** How far the time of an evaluation lies ahead of the clock; the clock is behind what the state has seen. */
export let skewMs: i64 = 0
/** The state to evaluate: the stored one, or a healed copy. */
export let seen: usize = 0

/**
 * The time at which a state is evaluated: now, but never before what it has seen. A state that lies further ahead
 * than it can come from a clock that had jumped: it is healed, in place or as a copy.
 */
export function timeOf(rule: Rule, state: usize, nowMs: i64, inPlace: bool): i64 {
  const since = sinceMs(state)
  seen = state
  skewMs = 0
  if (nowMs >= since) return nowMs
  const aheadMs = algorithms.reset(rule, state, since)
  if (since - nowMs + aheadMs <= max(rule.fullMs, aheadMs)) {
    skewMs = since - nowMs
    return since
  }
  if (!inPlace) {
    memory.copy(healedState, state, STATE_BYTES)
    seen = healedState
  }
  algorithms.heal(rule, seen, nowMs)
  return max(nowMs, sinceMs(seen))
}

/** Whether nothing of a key's quota is used at `now`, so that its cell says no more than no cell. */
export function isIdle(limit: Limit, states: usize, nowMs: i64): bool {
  for (let index = 0; index < limit.ruleCount; index++) {
    const state = stateAt(states, index)
    const rule = ruleAt(limit, index)
    if (nowMs < sinceMs(state) || algorithms.reset(rule, state, nowMs) > 0) return false
  }
  return true
}

export function dropCell(limit: Limit, cell: usize): void {
  releaseStates(limit, cell + CELL_HEAD)
  removeCell(limit.cells, load<u64>(cell))
}

/** Removes idle cells among the next `budget` slots of the walk. Returns how many. */
function sweepCells(limit: Limit, nowMs: i64, budget: u32): u32 {
  const before = limit.cells.count
  const endSegment = walkSegment
  const end = walkSlot + budget
  while (walkSegment == endSegment && walkSlot < end) {
    const cell = nextCell(limit.cells, end - walkSlot)
    if (cell == 0) break
    if (isIdle(limit, cell + CELL_HEAD, nowMs)) dropCell(limit, cell)
  }
  return before - limit.cells.count
}

/** Time until all rules of a key are full. */
function fullAfterOf(limit: Limit, states: usize, nowMs: i64): i64 {
  let resetMs: i64 = 0
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = timeOf(rule, stateAt(states, index), nowMs, false)
    const ruleMs = algorithms.reset(rule, seen, timeMs)
    if (ruleMs > 0) resetMs = max(resetMs, ruleMs + skewMs)
  }
  return resetMs
}

/** How near the bound a new key looks for room, from its home group on. */
const NEIGHBOURS: u32 = 28

/** Makes room for a key at `maxKeys`: idle neighbours go, else the neighbour nearest to full. */
function makeRoom(limit: Limit, hash: u64, nowMs: i64): bool {
  const segment = segmentIndex(limit.cells, hash)
  const slot = homeSlot(limit.cells, hash)
  startWalk(segment, slot)
  if (sweepCells(limit, nowMs, NEIGHBOURS) > 0) return true
  if (limit.onFull == DENY_NEW) return false
  startWalk(segment, slot)
  let nearest: usize = 0
  let nearestMs = i64.MAX_VALUE
  const most = min(NEIGHBOURS, limit.cells.count)
  for (let looked: u32 = 0; looked < most; looked++) {
    let cell = nextCell(limit.cells, u32.MAX_VALUE)
    if (cell == 0) {
      // Behind the last cell comes the first.
      startWalk(0, 0)
      cell = nextCell(limit.cells, u32.MAX_VALUE)
    }
    const resetMs = fullAfterOf(limit, cell + CELL_HEAD, nowMs)
    if (resetMs < nearestMs) {
      nearestMs = resetMs
      nearest = cell
    }
  }
  dropCell(limit, nearest)
  return true
}

/** A cell for a key that has none; 0 where there is no room. */
function newCell(limit: Limit, hash: u64, nowMs: i64): usize {
  if (limit.cells.count >= limit.maxKeys && !makeRoom(limit, hash, nowMs)) return 0
  // Saved cells are loaded past the bound: then each new key takes the room of two, until the bound holds again.
  if (limit.cells.count >= limit.maxKeys && !makeRoom(limit, hash, nowMs)) return 0
  if (limit.onFull != KEEP_ALL && isCrowded(limit.cells, hash)) {
    // Expiry as part of growth: a segment about to grow first gives up its idle cells. Where those are few it grows
    // all the same, or the next insert would look again.
    startWalk(segmentIndex(limit.cells, hash), 0)
    const swept = sweepCells(limit, nowMs, i32.MAX_VALUE)
    if (swept * 4 < segmentRoom(limit.cells, hash) && !growSegment(limit.cells, hash)) return 0
  }
  return insertCell(limit.cells, hash)
}

/** The time until which a key is blocked, 0 where it is not. */
export function blockedUntil(limit: Limit, hash: u64): i64 {
  const cell = findCell(limit.blocks, hash)
  return cell == 0 ? 0 : <i64>load<f64>(cell + CELL_HEAD)
}

/** Removes the blocks that have ended from the segment that a new block would lie in. */
function dropEndedBlocks(limit: Limit, hash: u64, nowMs: i64): void {
  const segment = segmentIndex(limit.blocks, hash)
  startWalk(segment, 0)
  while (walkSegment == segment) {
    const cell = nextCell(limit.blocks, 1)
    if (cell && <i64>load<f64>(cell + CELL_HEAD) <= nowMs) removeCell(limit.blocks, load<u64>(cell))
    if (walkEnded(limit.blocks)) return
  }
}

/** Denies a key until a time, in place of an earlier block. False where as many keys are blocked as may be held. */
export function setBlock(limit: Limit, hash: u64, untilMs: i64, nowMs: i64): bool {
  const blocks = limit.blocks
  let cell = findCell(blocks, hash)
  if (cell == 0) {
    if (limit.onFull != KEEP_ALL && blocks.count > 0 && (blocks.count >= limit.maxKeys || isCrowded(blocks, hash)))
      dropEndedBlocks(limit, hash, nowMs)
    if (blocks.count < limit.maxKeys) cell = insertCell(blocks, hash)
  }
  if (cell == 0) return false
  store<f64>(cell + CELL_HEAD, <f64>untilMs)
  return true
}

export function clearBlock(limit: Limit, hash: u64): bool {
  if (findCell(limit.blocks, hash) == 0) return false
  removeCell(limit.blocks, hash)
  return true
}

/** Decides, and charges where `charging` and admitted. The verdict says the rest. */
export function decide(limit: Limit, hash: u64, cost: i64, nowMs: i64, charging: bool): i32 {
  return decideAt(limit, hash, findCell(limit.cells, hash), cost, nowMs, charging)
}

/** `decide` where the cell of the hash is known: it is `cell`, or there is none where that is 0. */
export function decideAt(limit: Limit, hash: u64, cell: usize, cost: i64, nowMs: i64, charging: bool): i32 {
  if (cost > limit.maximumCost) return COST_ABOVE_CAPACITY
  charging = charging && cost > 0
  if (limit.isPlain && limit.blocks.count == 0) {
    let state = cell + CELL_HEAD
    if (cell == 0) {
      // A key without a state is admitted: no cost above the capacity comes here.
      state = cost > 0 ? newStates(limit, hash, nowMs, charging) : emptyStates
      if (state == 0) return NO_ROOM
    }
    const rule = ruleAt(limit, 0)
    const delayMs = algorithms.delay(rule, state, nowMs)
    const outcome = decideAlone(rule, state, nowMs, cost, charging)
    if (outcome != UNDECIDED) {
      tellAtLength(nowMs, outcome == ADMITTED ? delayMs : 0)
      return outcome
    }
  }
  return decideRules(limit, hash, cell, cost, nowMs, charging)
}

/** Charges one unit. Where the answer can be told in short it is, and `BRIEF` added to the outcome; else as `decideAt`. */
// @ts-ignore: decorator
@inline
export function decideUnitAt(limit: Limit, hash: u64, cell: usize, nowMs: i64): i32 {
  if (cell != 0 && limit.isBrief && limit.blocks.count == 0) {
    const outcome = decideAlone(ruleAt(limit, 0), cell + CELL_HEAD, nowMs, 1, true)
    if (outcome != UNDECIDED) {
      if ((load<i64>(brief, 8) | load<i64>(brief, 16)) <= i32.MAX_VALUE) {
        store<f64>(verdict, <f64>nowMs, 24)
        return outcome | BRIEF
      }
      tellAtLength(nowMs, 0)
      return outcome
    }
  }
  return decideAt(limit, hash, cell, 1, nowMs, true)
}

/** Makes a verdict of what was told in short. */
function tellAtLength(nowMs: i64, delayMs: i64): void {
  const retryMs = <f64>load<i64>(brief, 8)
  store<f64>(verdict, retryMs)
  store<f64>(verdict, <f64>delayMs, 8)
  store<f64>(verdict, 0, 16)
  store<f64>(verdict, <f64>nowMs, 24)
  store<f64>(verdict, <f64>load<u32>(brief), 32)
  store<f64>(verdict, retryMs, 40)
  store<f64>(verdict, <f64>load<i64>(brief, 16), 48)
}

/** The states of a key that has none and is admitted, empty ones where it is only asked for; 0 where there is no room. */
function newStates(limit: Limit, hash: u64, nowMs: i64, charging: bool): usize {
  if (charging) {
    const made = newCell(limit, hash, nowMs)
    return made == 0 ? 0 : made + CELL_HEAD
  }
  // A peek says what a check would; the idle neighbours that it drops say nothing.
  const isFull = limit.onFull == DENY_NEW && limit.cells.count >= limit.maxKeys
  return isFull && !makeRoom(limit, hash, nowMs) ? 0 : emptyStates
}

/** The general way: any rules, blocks, statistics, and a clock that is behind what a state has seen. */
function decideRules(limit: Limit, hash: u64, cell: usize, cost: i64, nowMs: i64, charging: bool): i32 {
  const ruleCount = limit.ruleCount
  let states = cell == 0 ? emptyStates : cell + CELL_HEAD

  let binding = 0
  let retryMs: i64 = 0
  let chargedAtMs = nowMs
  for (let index = 0; index < ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = timeOf(rule, stateAt(states, index), nowMs, charging)
    let waitMs = algorithms.wait(rule, seen, timeMs, cost)
    if (waitMs > 0) waitMs += skewMs
    if (waitMs > retryMs) {
      retryMs = waitMs
      binding = index
    }
    chargedAtMs = max(chargedAtMs, timeMs)
    store<f64>(verdict + VERDICT_RULES + <usize>index * VERDICT_RULE_BYTES, <f64>waitMs, 8)
  }

  let outcome = retryMs == 0 ? ADMITTED : DENIED
  if (limit.blocks.count > 0) {
    const until = blockedUntil(limit, hash)
    if (until > nowMs) {
      outcome = BLOCKED
      retryMs = max(retryMs, until - nowMs)
    }
  }
  if (outcome == DENIED && charging && limit.blockMs > 0) {
    // Where as many keys are blocked as may be held, this one is only denied, and told the wait that is true.
    if (setBlock(limit, hash, nowMs + limit.blockMs, nowMs)) retryMs = max(retryMs, limit.blockMs)
  }

  if (outcome == ADMITTED && cell == 0 && cost > 0) {
    states = newStates(limit, hash, nowMs, charging)
    if (states == 0) {
      outcome = NO_ROOM
      states = emptyStates
    }
  }
  let delayMs: i64 = 0
  if (outcome == ADMITTED) {
    for (let index = 0; index < ruleCount; index++) {
      const rule = ruleAt(limit, index)
      const timeMs = timeOf(rule, stateAt(states, index), nowMs, charging)
      delayMs = max(delayMs, algorithms.delay(rule, seen, timeMs))
      if (charging) algorithms.charge(rule, seen, timeMs, cost)
    }
  }

  let leastRemaining: i64 = 0
  for (let index = 0; index < ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = timeOf(rule, stateAt(states, index), nowMs, charging)
    const remaining = algorithms.remaining(rule, seen, timeMs)
    let resetMs = algorithms.reset(rule, seen, timeMs)
    if (resetMs > 0) resetMs += skewMs
    const out = verdict + VERDICT_RULES + <usize>index * VERDICT_RULE_BYTES
    store<f64>(out, <f64>remaining)
    store<f64>(out, <f64>resetMs, 16)
    // The smallest share of the capacity binds: r/c < R/C ⇔ r·C < R·c, products below 2⁶².
    if (outcome == ADMITTED) {
      const least = ruleAt(limit, binding)
      if (index == 0 || remaining * least.capacity < leastRemaining * rule.capacity) {
        binding = index
        leastRemaining = remaining
      }
    }
  }
  store<f64>(verdict, <f64>retryMs)
  store<f64>(verdict, <f64>delayMs, 8)
  store<f64>(verdict, <f64>binding, 16)
  store<f64>(verdict, <f64>chargedAtMs, 24)
  if (limit.keepsStats && charging) countDecision(limit.stats, limit.maxKeys, hash, outcome == ADMITTED, cost, nowMs)
  return outcome
}

/** Takes units whatever is left, into debt if need be. False where there is no room for the key. */
export function charge(limit: Limit, hash: u64, units: i64, nowMs: i64): bool {
  if (units == 0) return true
  let cell = findCell(limit.cells, hash)
  if (cell == 0) cell = newCell(limit, hash, nowMs)
  if (cell == 0) return false
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = timeOf(rule, stateAt(cell + CELL_HEAD, index), nowMs, true)
    algorithms.charge(rule, seen, timeMs, units)
    // What was charged while the clock was behind may now lie too far ahead of it.
    timeOf(rule, seen, nowMs, true)
  }
  return true
}

/** Gives back units of a charge made at `chargedAtMs`, as far as each rule's state still holds them. */
export function refund(limit: Limit, hash: u64, units: i64, chargedAtMs: i64, nowMs: i64): void {
  const cell = findCell(limit.cells, hash)
  if (cell == 0) return
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = timeOf(rule, stateAt(cell + CELL_HEAD, index), nowMs, true)
    algorithms.refund(rule, seen, timeMs, chargedAtMs, units)
    // A full quota has seen nothing, whatever the clock says.
    if (algorithms.reset(rule, seen, timeMs) == 0) algorithms.release(rule, seen)
    else timeOf(rule, seen, nowMs, true)
  }
  if (isIdle(limit, cell + CELL_HEAD, nowMs)) dropCell(limit, cell)
}

/** Makes a key's quota full and ends its block. Whether there was anything to forget. */
export function resetKey(limit: Limit, hash: u64, nowMs: i64): bool {
  let had = clearBlock(limit, hash)
  const cell = findCell(limit.cells, hash)
  if (cell) {
    dropCell(limit, cell)
    had = true
  }
  if (limit.keepsStats) noteReset(limit.stats, limit.maxKeys, hash, nowMs)
  return had
}

/**
 * Removes idle cells and ended blocks among the next `budget` slots of each table, from where the last sweep stopped and
 * at most once around.
 */
export function sweep(limit: Limit, nowMs: i64, budget: u32): u32 {
  return sweepTable(limit, limit.cells, nowMs, budget) + sweepTable(limit, limit.blocks, nowMs, budget)
}

function sweepTable(limit: Limit, table: Table, nowMs: i64, budget: u32): u32 {
  const before = table.count
  const startSegment = table.sweepSegment
  let isAround = false
  startWalk(startSegment, table.sweepSlot)
  for (let left = budget; left > 0 && table.count > 0; left--) {
    const cell = nextCell(table, 1)
    if (cell) {
      if (table == limit.blocks) {
        if (<i64>load<f64>(cell + CELL_HEAD) <= nowMs) removeCell(table, load<u64>(cell))
      } else if (isIdle(limit, cell + CELL_HEAD, nowMs)) {
        dropCell(limit, cell)
      }
    }
    if (walkEnded(table)) {
      startWalk(0, 0)
      if (isAround) break
      isAround = true
    }
    if (isAround && walkSegment > startSegment) break
  }
  table.sweepSegment = walkSegment
  table.sweepSlot = walkSlot
  return before - table.count
}

/** Time until nothing is used of any key and no block lasts. Looks at every cell. */
export function fullAfter(limit: Limit, nowMs: i64): i64 {
  let latestMs: i64 = 0
  startWalk(0, 0)
  for (let cell = nextCell(limit.cells, u32.MAX_VALUE); cell; cell = nextCell(limit.cells, u32.MAX_VALUE)) {
    latestMs = max(latestMs, fullAfterOf(limit, cell + CELL_HEAD, nowMs))
  }
  startWalk(0, 0)
  for (let cell = nextCell(limit.blocks, u32.MAX_VALUE); cell; cell = nextCell(limit.blocks, u32.MAX_VALUE)) {
    latestMs = max(latestMs, <i64>load<f64>(cell + CELL_HEAD) - nowMs)
  }
  return latestMs
}
