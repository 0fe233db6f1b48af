/*
 * The ABI. Integers in, integers out: no clock, no strings, no I/O, no imports. Times are whole milliseconds in
 * [0, 2⁴⁷) and amounts whole units in [0, 2³¹], all passed as f64; keys are bytes in the key buffer; pointers are
 * offsets into `memory`. A call with an argument outside its range does nothing and returns `BAD_ARGUMENT` or 0.
 */
import { ALGORITHM_COUNT, TOKEN_BUCKET_STEPS } from "./algorithms"
import { brief } from "./algorithms/arrival-time"
import { answerBytes, decideMany } from "./batch"
import * as blocks from "./block"
import { carryOver } from "./carry"
import { heals } from "./cell"
import { ADMITTED, NO_ROOM, admit, decide, decideUnitAt, verdict } from "./decide"
import { allocate, allocatedBytes as heapBytes, free, refusals } from "./heap"
import { MAX_KEY_BYTES, hashKey } from "./hash"
import { addKey, freeKeySet, newKeySet } from "./key-set"
import * as dump from "./dump"
import { KEEP_ALL, Limit, findFastPath, freeLimit, newLimit } from "./limit"
import { ANCHOR_FIRST, MAX_RULES, RULE_FIELDS } from "./rule"
import * as save from "./save"
import * as savedCell from "./saved-cell"
import { countDenials } from "./stats"
import * as sweeps from "./sweep"
import { findCell } from "./table/find"
import { CELL_HEAD } from "./table/table"
import { startWalk } from "./table/walk"
import * as usage from "./usage"

/** Changes with every incompatible change of this file. */
export const ABI_VERSION: i32 = 1
export const BAD_ARGUMENT: i32 = -1

export { ADMITTED, BLOCKED, BRIEF, COST_ABOVE_CAPACITY, DENIED, NO_ROOM } from "./decide"
export { DENY_NEW, EVICT_NEAREST_FULL, KEEP_ALL } from "./limit"
export { MAX_KEY_BYTES } from "./hash"
export { ANCHOR_FIRST, MAX_RULES, RULE_FIELDS } from "./rule"
export {
  GCRA,
  TOKEN_BUCKET,
  LEAKY_BUCKET,
  FIXED_WINDOW,
  SLIDING_WINDOW,
  SLIDING_WINDOW_LOG,
  TOKEN_BUCKET_STEPS,
} from "./algorithms"
export { BLOCKS, CELLS, STATS } from "./saved-cell"

const MAX_UNITS_A_CALL: f64 = 2147483648
const MAX_TIME_MS: u64 = 140737488355327
const MAX_PERIOD_MS: f64 = 315360000000
const MAX_REFILL_TIME_MS: f64 = 35184372088832

/** A key's bytes, at most `MAX_KEY_BYTES`; a hash may read 16 bytes further. */
const keys = memory.data(<i32>MAX_KEY_BYTES + 16, 16)
const rules = memory.data(MAX_RULES * RULE_FIELDS * 8, 16)

export function keyBuffer(): usize {
  return keys
}

/** Where `limitNew` reads rules: `RULE_FIELDS` f64 each. */
export function ruleBuffer(): usize {
  return rules
}

/** Where `check` and `peek` write: f64 retryAfterMs, delayMs, binding rule, chargedAtMs; then three a rule. */
export function verdictBuffer(): usize {
  return verdict
}

/** Where `checkUnit` writes what it tells in short: i64 remaining, retryAfterMs, resetAfterMs, each below 2³¹. */
export function briefBuffer(): usize {
  return brief
}

// @ts-ignore: decorator
@inline
function isUnits(units: f64): bool {
  return units >= 0 && units <= MAX_UNITS_A_CALL && <f64>(<i64>units) == units
}

// @ts-ignore: decorator
@inline
function isTime(ms: f64): bool {
  const whole = <i64>ms
  return <u64>whole <= MAX_TIME_MS && <f64>whole == ms
}

// @ts-ignore: decorator
@inline
function isCall(limit: usize, keyLength: i32): bool {
  return limit != 0 && <u32>(keyLength - 1) < <u32>MAX_KEY_BYTES
}

function hashOf(limit: Limit, keyLength: i32): u64 {
  const hash = hashKey(limit.schedule, keys, <usize>keyLength)
  if (limit.isSaving) save.saveKey(limit, hash)
  return hash
}

function isKind(kind: i32): bool {
  return kind >= savedCell.CELLS && kind <= savedCell.STATS
}

/** Whether a limit's table of this kind can be dumped as it lies in memory. */
function isDumped(limit: usize, kind: i32): bool {
  return limit != 0 && isKind(kind) && savedCell.isFlat(changetype<Limit>(limit), kind)
}

function isWhole(value: f64, least: f64, most: f64): bool {
  return value >= least && value <= most && floor(value) == value
}

/** Whether the host wrote a rule that can be computed with. */
function isRule(input: usize): bool {
  const algorithm = load<f64>(input)
  const capacity = load<f64>(input, 8)
  const unitsN = load<f64>(input, 16)
  const periodP = load<f64>(input, 24)
  const periodMs = load<f64>(input, 32)
  const offsetMs = load<f64>(input, 40)
  if (!isWhole(algorithm, 0, <f64>(ALGORITHM_COUNT - 1)) || !isWhole(capacity, 1, MAX_UNITS_A_CALL)) return false
  if (!isWhole(unitsN, 1, MAX_UNITS_A_CALL) || !isWhole(periodP, 1, MAX_PERIOD_MS)) return false
  if (!isWhole(periodMs, 1, MAX_PERIOD_MS) || !isWhole(offsetMs, <f64>ANCHOR_FIRST, periodMs - 1)) return false
  if ((capacity * periodP) / unitsN > MAX_REFILL_TIME_MS) return false
  if (algorithm != <f64>TOKEN_BUCKET_STEPS) return true
  const amount = load<f64>(input, 48)
  const everyMs = load<f64>(input, 56)
  return (
    isWhole(amount, 1, capacity) &&
    isWhole(everyMs, 1, MAX_PERIOD_MS) &&
    (capacity / amount) * everyMs <= MAX_REFILL_TIME_MS
  )
}

/**
 * A limit over `ruleCount` rules from the rule buffer, with a 128-bit seed for the hash of its keys.
 * `keepsStats` is 0 or 1; `KEEP_ALL` wants `maxKeys` to be 2³² − 1. Returns its pointer, or 0.
 */
export function limitNew(
  ruleCount: i32,
  blockMs: f64,
  maxKeys: f64,
  onFull: i32,
  keepsStats: i32,
  seed0: u32,
  seed1: u32,
  seed2: u32,
  seed3: u32,
): usize {
  if (ruleCount < 1 || ruleCount > MAX_RULES || !isWhole(blockMs, 0, MAX_PERIOD_MS)) return 0
  if (!isWhole(maxKeys, 1, 4294967295) || onFull < 0 || onFull > KEEP_ALL || keepsStats < 0 || keepsStats > 1) return 0
  if (onFull == KEEP_ALL && maxKeys != 4294967295) return 0
  for (let index = 0; index < ruleCount; index++) {
    if (!isRule(rules + <usize>(index * RULE_FIELDS * 8))) return 0
  }
  const limit = newLimit(rules, ruleCount, ((<u64>seed1) << 32) | <u64>seed0, ((<u64>seed3) << 32) | <u64>seed2)
  if (limit === null) return 0
  limit.blockMs = <i64>blockMs
  limit.maxKeys = <u32>maxKeys
  limit.onFull = onFull
  limit.keepsStats = keepsStats == 1
  findFastPath(limit)
  return changetype<usize>(limit)
}

/** Frees a limit and all that it holds. */
export function limitFree(limit: usize): void {
  if (limit == lastLimit) lastLimit = 0
  if (limit == 0) return
  save.endSave(changetype<Limit>(limit))
  freeLimit(changetype<Limit>(limit))
}

/** How many keys a limit has cells for, idle ones that were not swept yet included. */
export function limitKeys(limit: usize): f64 {
  return limit == 0 ? 0 : <f64>changetype<Limit>(limit).cells.count
}

/** How many keys a limit has blocks for, those that have ended and were not swept yet included. */
export function limitBlocks(limit: usize): f64 {
  return limit == 0 ? 0 : <f64>changetype<Limit>(limit).blocks.count
}

/**
 * Carries usage, blocks and statistics from a limit to a new, empty one that replaces it. 1, or 0 without memory, or
 * while it is saved.
 */
export function limitCarry(from: usize, to: usize, nowMs: f64): i32 {
  if (from == 0 || to == 0 || !isTime(nowMs) || changetype<Limit>(from).isSaving) return 0
  // The new limit's keys have other hashes from here on.
  lastLimit = 0
  return i32(carryOver(changetype<Limit>(from), changetype<Limit>(to), <i64>nowMs))
}

/** Puts another block in place of a limit's, for denials from here on. 1, or 0 where it is out of range. */
export function limitSetBlock(limit: usize, blockMs: f64): i32 {
  if (limit == 0 || !isWhole(blockMs, 0, MAX_PERIOD_MS)) return 0
  const self = changetype<Limit>(limit)
  self.blockMs = <i64>blockMs
  findFastPath(self)
  return 1
}

/** Asks and charges. Returns an outcome: `DENIED` … `NO_ROOM`. */
export function check(limit: usize, keyLength: i32, cost: f64, nowMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isUnits(cost) || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  return decide(self, hashOf(self, keyLength), <i64>cost, <i64>nowMs, true)
}

/**
 * The key of the last `checkUnit`: its limit, its hash, where its cell was, and the count of the table's changes then.
 */
let lastLimit: usize = 0
let lastLength: i32 = 0
let lastHash: u64 = 0
let lastCell: usize = 0
let lastChanges: u32 = 0

/**
 * `check` for a cost of 1. Where the answer is short, it is written to the brief buffer instead of the verdict buffer,
 * and `BRIEF` is added to the outcome.
 */
export function checkUnit(limit: usize, keyLength: i32, nowMs: f64): i32 {
  if (!isCall(limit, keyLength)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  lastLimit = limit
  lastLength = keyLength
  lastHash = hashOf(self, keyLength)
  lastCell = findCell(self.cells, lastHash)
  lastChanges = self.cells.changes
  return checkUnitAgain(limit, nowMs)
}

/**
 * `checkUnit` where the key buffer holds what it held at the last `checkUnit` that was no `BAD_ARGUMENT`. If the limit
 * is the same too, the key is neither hashed nor looked for again, unless a key came or went meanwhile.
 */
export function checkUnitAgain(limit: usize, nowMs: f64): i32 {
  if (limit == 0 || limit != lastLimit) return checkUnit(limit, lastLength, nowMs)
  if (!isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  if (self.isSaving) save.saveKey(self, lastHash)
  const changes = self.cells.changes
  if (changes != lastChanges) {
    lastCell = findCell(self.cells, lastHash)
    lastChanges = changes
  }
  return decideUnitAt(self, lastHash, lastCell, <i64>nowMs)
}

/**
 * Asks and stores nothing: says what a check would. Where the clock was set back by more than a state can lie ahead, a
 * check heals the state and a peek only a copy of it: the wait that a peek tells then begins once a check has come.
 */
export function peek(limit: usize, keyLength: i32, cost: f64, nowMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isUnits(cost) || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  return decide(self, hashOf(self, keyLength), <i64>cost, <i64>nowMs, false)
}

/** Bytes that `checkMany` writes for `count` checks. */
export function manyBytes(count: u32): usize {
  return answerBytes(count)
}

/**
 * `check` for many keys at one time. Key i is the bytes from the end of the one before to `ends[i]` (u32) after `keys`,
 * with 16 readable bytes behind the last; its cost is `costs[i]` (u32), or 1 where `costs` is 0. Writes, in columns of
 * `count`: retryAfterMs f64, resetAfterMs f64, remaining u32, allowed u8. `ADMITTED`, or `BAD_ARGUMENT` with nothing
 * changed where a key or a cost is out of range, as a cost above the capacity is.
 */
export function checkMany(
  limit: usize,
  keys: usize,
  ends: usize,
  costs: usize,
  count: i32,
  nowMs: f64,
  answers: usize,
): i32 {
  if (limit == 0 || count < 0 || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  let start: u32 = 0
  for (let index = 0; index < count; index++) {
    const end = load<u32>(ends + ((<usize>index) << 2))
    if (end <= start || end - start > <u32>MAX_KEY_BYTES) return BAD_ARGUMENT
    if (costs != 0 && <i64>load<u32>(costs + ((<usize>index) << 2)) > self.maximumCost) return BAD_ARGUMENT
    start = end
  }
  if (self.isSaving) save.saveMore(self, usize.MAX_VALUE)
  decideMany(self, keys, ends, costs, count, <i64>nowMs, answers)
  return ADMITTED
}

/**
 * `check` for many keys, each at a time of its own, until one is not admitted. Key i is the bytes from `spans[2i]` to
 * `spans[2i + 1]` (u32) after `keys`, with 16 readable bytes behind the last; it costs `costs[i]` (u32) at `times[i]`
 * (f64). Where `keySet` is a set and not 0, the key goes into it, and `costs[i]` becomes 1 if it is new there, else 0.
 * How many were admitted; a key or a time out of range ends them too.
 */
export function admitMany(
  limit: usize,
  keys: usize,
  spans: usize,
  costs: usize,
  times: usize,
  count: i32,
  keySet: usize,
): i32 {
  if (limit == 0) return 0
  const self = changetype<Limit>(limit)
  for (let index = 0; index < count; index++) {
    const item = <usize>index
    const start = load<u32>(spans + (item << 3))
    const length = load<u32>(spans + (item << 3), 4) - start
    const nowMs = load<f64>(times + (item << 3))
    if (length - 1 >= <u32>MAX_KEY_BYTES || !isTime(nowMs)) return index
    const hash = hashKey(self.schedule, keys + start, length)
    if (self.isSaving) save.saveKey(self, hash)
    const cost = costs + (item << 2)
    if (!admit(self, hash, <i64>load<u32>(cost), <i64>nowMs)) return index
    if (keySet != 0) store<u32>(cost, u32(addKey(keySet, hash)))
  }
  return max(count, 0)
}

/** An empty set of keys for `admitMany`, of limits with the same seed; 0 without memory. */
export function keySetNew(): usize {
  return newKeySet()
}

/** Frees a set of keys. */
export function keySetFree(set: usize): void {
  if (set != 0) freeKeySet(set)
}

/** Takes units, into debt if need be; 0 units only heal the key's state. `ADMITTED` or `NO_ROOM`. */
export function charge(limit: usize, keyLength: i32, units: f64, nowMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isUnits(units) || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  return usage.charge(self, hashOf(self, keyLength), <i64>units, <i64>nowMs) ? ADMITTED : NO_ROOM
}

/** Gives back units of a charge made at `chargedAtMs`. `ADMITTED`, also where nothing was left to give. */
export function refund(limit: usize, keyLength: i32, units: f64, chargedAtMs: f64, nowMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isUnits(units) || !isTime(chargedAtMs) || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  if (units > 0) usage.refund(self, hashOf(self, keyLength), <i64>units, <i64>chargedAtMs, <i64>nowMs)
  return ADMITTED
}

/**
 * The time from which a rule's state of a key counts; Infinity where nothing is used, 0 for an argument out of range.
 */
export function since(limit: usize, keyLength: i32, rule: i32, nowMs: f64): f64 {
  if (!isCall(limit, keyLength) || !isTime(nowMs)) return 0
  const self = changetype<Limit>(limit)
  if (<u32>rule >= <u32>self.ruleCount) return 0
  return usage.since(self, hashOf(self, keyLength), rule, <i64>nowMs)
}

/** Denies a key until `untilMs`, in place of an earlier block. `ADMITTED` or `NO_ROOM`. */
export function block(limit: usize, keyLength: i32, untilMs: f64, nowMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isTime(untilMs) || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  return blocks.setBlock(self, hashOf(self, keyLength), <i64>untilMs, <i64>nowMs) ? ADMITTED : NO_ROOM
}

/** Ends a block. 1 where one was held, which may have ended by itself before; else 0. */
export function unblock(limit: usize, keyLength: i32): i32 {
  if (!isCall(limit, keyLength)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  return i32(blocks.clearBlock(self, hashOf(self, keyLength)))
}

/** The time until which a key is blocked, which may be past; 0 where there is none. */
export function blockedUntil(limit: usize, keyLength: i32): f64 {
  if (!isCall(limit, keyLength)) return 0
  const self = changetype<Limit>(limit)
  return <f64>blocks.blockedUntil(self, hashOf(self, keyLength))
}

/**
 * Makes a key's quota full and ends its block. 1 where either was held, also where it said nothing any more, else 0.
 */
export function reset(limit: usize, keyLength: i32, nowMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isTime(nowMs)) return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  return i32(usage.resetKey(self, hashOf(self, keyLength), <i64>nowMs))
}

/** Where a key's statistics lie, 7 × f64; 0 where there are none. Valid until the next call. */
export function stats(limit: usize, keyLength: i32): usize {
  if (!isCall(limit, keyLength)) return 0
  const self = changetype<Limit>(limit)
  const cell = findCell(self.stats, hashOf(self, keyLength))
  return cell == 0 ? 0 : cell + CELL_HEAD
}

/** Adds `count` denials of `cost` each, the last at `lastMs`, to a key's statistics. */
export function noteDenials(limit: usize, keyLength: i32, count: f64, cost: f64, lastMs: f64): i32 {
  if (!isCall(limit, keyLength) || !isWhole(count, 0, 9007199254740991) || !isUnits(cost) || !isTime(lastMs))
    return BAD_ARGUMENT
  const self = changetype<Limit>(limit)
  if (count > 0) countDenials(self.stats, self.maxKeys, hashOf(self, keyLength), count, cost, lastMs)
  return ADMITTED
}

/**
 * Looks at up to `budget` slots for idle cells and ended blocks, from where the last sweep stopped. How many went; none
 * while the limit is saved.
 */
export function sweep(limit: usize, nowMs: f64, budget: u32): u32 {
  if (limit == 0 || !isTime(nowMs) || changetype<Limit>(limit).isSaving) return 0
  return sweeps.sweep(changetype<Limit>(limit), <i64>nowMs, budget)
}

/** Time until nothing is used of any key and no block lasts; looks at every cell. */
export function fullAfter(limit: usize, nowMs: f64): f64 {
  return limit != 0 && isTime(nowMs) ? <f64>sweeps.fullAfter(changetype<Limit>(limit), <i64>nowMs) : 0
}

/** Starts saving cells: `saveNext` then gives one after the other. Nothing else may be called between. */
export function saveStart(): void {
  startWalk(0, 0)
}

/** The next cell of kind `CELLS`, `BLOCKS` or `STATS` that says something at `nowMs`; 0 at the end. */
export function saveNext(limit: usize, kind: i32, nowMs: f64): usize {
  if (limit == 0 || !isKind(kind) || !isTime(nowMs)) return 0
  return savedCell.nextSaved(changetype<Limit>(limit), kind, <i64>nowMs)
}

/** Writes a cell to `output`. Returns its bytes; where they are more than `room`, nothing was written. */
export function saveCell(limit: usize, kind: i32, cell: usize, output: usize, room: usize): usize {
  if (limit == 0 || !isKind(kind) || cell == 0) return 0
  return savedCell.saveCell(changetype<Limit>(limit), kind, cell, output, room)
}

/**
 * Puts saved cells back that lie one after the other. 1, or 0 where the bytes cannot be cells, a key is there already,
 * or there is no memory: then those before are back. They are put back past `maxKeys` too, since usage that was saved
 * is not forgotten; new keys bring their number down again.
 */
export function loadCells(limit: usize, kind: i32, input: usize, bytes: usize): i32 {
  if (limit == 0 || !isKind(kind) || input == 0) return 0
  return i32(savedCell.loadCells(changetype<Limit>(limit), kind, input, bytes))
}

/**
 * 1 where each of the saved cells that lie one after the other is held exactly so, else 0, also without memory to
 * compare.
 */
export function hasCells(limit: usize, kind: i32, input: usize, bytes: usize): i32 {
  if (limit == 0 || !isKind(kind) || input == 0) return 0
  return i32(savedCell.hasCells(changetype<Limit>(limit), kind, input, bytes))
}

/**
 * Starts to save all cells as they are now, little by little: other calls may come between. Cells that are idle and
 * blocks that have ended at `idleAtMs`, or none where it is −1, are dropped, and statistics that were counted last
 * before `statsSinceMs`. 1, or 0 where a save is under way, or `maxKeys` is less than 2³² − 1: a key that comes may
 * then drop others. Where there is no memory for a cell, no cells are told any more, but all that is to be dropped
 * still is.
 */
export function saveBegin(limit: usize, idleAtMs: f64, statsSinceMs: f64): i32 {
  if (limit == 0 || (idleAtMs != -1 && !isTime(idleAtMs)) || !isTime(statsSinceMs)) return 0
  return i32(save.beginSave(changetype<Limit>(limit), <i64>idleAtMs, statsSinceMs))
}

/** Goes on with a save by about `bytes` bytes of cells. 1 where there is more to come, else 0. */
export function saveMore(limit: usize, bytes: usize): i32 {
  if (limit == 0 || !changetype<Limit>(limit).isSaving) return 0
  return i32(save.saveMore(changetype<Limit>(limit), bytes))
}

/**
 * A block of saved cells, to be given back by `memoryGive`, or 0: u32 of the core's own, kind, bytes of the cells,
 * bytes of the block; then the cells.
 */
export function saveTake(limit: usize): usize {
  return limit == 0 ? 0 : save.takeBlock(changetype<Limit>(limit))
}

/**
 * Ends a save, also before it is complete. 1 where it is: `saveMore` came to the end, and there was memory for every
 * cell.
 */
export function saveEnd(limit: usize): i32 {
  return limit == 0 ? 0 : i32(save.endSave(changetype<Limit>(limit)))
}

/** Starts the dump of a table: `dumpNext` then gives its records. Nothing else may be called between. */
export function dumpStart(): void {
  dump.startDump()
}

/**
 * Bytes of all records of kind `CELLS`, `BLOCKS` or `STATS`. 0 also for the cells of a limit with a
 * `SLIDING_WINDOW_LOG`, which are saved one by one.
 */
export function dumpBytes(limit: usize, kind: i32): f64 {
  return isDumped(limit, kind) ? dump.dumpBytes(savedCell.tableOf(changetype<Limit>(limit), kind)) : 0
}

/** Writes the next records of a kind that fit into `room` bytes. Returns their bytes; 0 at the end. */
export function dumpNext(limit: usize, kind: i32, output: usize, room: usize): usize {
  if (!isDumped(limit, kind)) return 0
  return dump.dumpNext(savedCell.tableOf(changetype<Limit>(limit), kind), kind, output, room)
}

/** Puts a record back into a limit that had nothing of its kind. 1, or 0 where it does not fit: then free the limit. */
export function restoreRecord(limit: usize, kind: i32, record: usize, bytes: usize): i32 {
  if (!isDumped(limit, kind) || record == 0) return 0
  return i32(dump.restoreRecord(savedCell.tableOf(changetype<Limit>(limit), kind), kind, record, bytes))
}

/** Ends the records of a kind. 1, or 0 where they were not all, or cells are missing: then free the limit. */
export function restoreEnd(limit: usize, kind: i32): i32 {
  if (!isDumped(limit, kind)) return 0
  return i32(dump.endRestore(savedCell.tableOf(changetype<Limit>(limit), kind), kind))
}

/** Carries a checksum, 32 bytes at `state`, on over `bytes` at `input`, a multiple of 32. */
export function checksum(state: usize, input: usize, bytes: usize): void {
  dump.checksum(state, input, bytes & ~31)
}

/** A zeroed block of memory for the host, or 0. */
export function memoryTake(bytes: usize): usize {
  return allocate(bytes)
}

/** Takes back a block that `memoryTake(bytes)` gave; nothing where that was 0. */
export function memoryGive(block: usize, bytes: usize): void {
  free(block, bytes)
}

/** How often the instance asked for memory and got none. */
export function memoryRefusals(): u32 {
  return refusals
}

/** How often a state of the instance was moved back, since the clock was: a check does so that is denied, too. */
export function healCount(): u32 {
  return heals
}

/** Bytes that all limits of this instance hold. */
export function allocatedBytes(): f64 {
  return <f64>heapBytes()
}
