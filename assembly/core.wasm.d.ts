/**
 * The compiled core. workerd and bundlers import it as a module to be instantiated, the default; Deno and Node import what
 * it exports, as docs/abi.md tells it.
 */
declare const core: WebAssembly.Module
export default core

export const memory: WebAssembly.Memory
export const ABI_VERSION: number
export const BAD_ARGUMENT: number
export const DENIED: number
export const ADMITTED: number
export const BLOCKED: number
export const COST_ABOVE_CAPACITY: number
export const NO_ROOM: number
export const BRIEF: number
export const EVICT_NEAREST_FULL: number
export const DENY_NEW: number
export const KEEP_ALL: number
export const RULES_MAX: number
export const RULE_FIELDS: number
export const KEY_BYTES_MAX: number
export const ANCHOR_FIRST: number
export const GCRA: number
export const TOKEN_BUCKET: number
export const LEAKY_BUCKET: number
export const FIXED_WINDOW: number
export const SLIDING_WINDOW: number
export const SLIDING_WINDOW_LOG: number
export const TOKEN_BUCKET_STEPS: number
export const CELLS: number
export const BLOCKS: number
export const STATS: number

export function keyBuffer(): number
export function ruleBuffer(): number
export function verdictBuffer(): number
export function briefBuffer(): number
export function limitNew(
  ruleCount: number,
  blockMs: number,
  maxKeys: number,
  onFull: number,
  keepsStats: number,
  seed0: number,
  seed1: number,
  seed2: number,
  seed3: number,
): number
export function limitFree(limit: number): void
export function limitKeys(limit: number): number
export function limitCarry(from: number, to: number, nowMs: number): number
export function check(limit: number, keyLength: number, cost: number, nowMs: number): number
export function checkUnit(limit: number, keyLength: number, nowMs: number): number
export function checkUnitAgain(limit: number, nowMs: number): number
export function manyBytes(count: number): number
export function checkMany(
  limit: number,
  keys: number,
  ends: number,
  costs: number,
  count: number,
  nowMs: number,
  answers: number,
): number
export function admitMany(
  limit: number,
  keys: number,
  spans: number,
  costs: number,
  times: number,
  count: number,
  seen: number,
): number
export function keySetNew(): number
export function keySetFree(set: number): void
export function peek(limit: number, keyLength: number, cost: number, nowMs: number): number
export function charge(limit: number, keyLength: number, units: number, nowMs: number): number
export function refund(limit: number, keyLength: number, units: number, chargedAtMs: number, nowMs: number): number
export function block(limit: number, keyLength: number, untilMs: number, nowMs: number): number
export function unblock(limit: number, keyLength: number): number
export function blockedUntil(limit: number, keyLength: number): number
export function reset(limit: number, keyLength: number, nowMs: number): number
export function stats(limit: number, keyLength: number): number
export function noteDenials(limit: number, keyLength: number, count: number, cost: number, lastMs: number): number
export function fullAfter(limit: number, nowMs: number): number
export function sweep(limit: number, nowMs: number, budget: number): number
export function saveStart(): void
export function saveNext(limit: number, kind: number, nowMs: number): number
export function saveCell(limit: number, kind: number, cell: number, output: number, room: number): number
export function loadCell(limit: number, kind: number, input: number, bytes: number): number
export function hasCells(limit: number, kind: number, input: number, bytes: number): number
export function saveBegin(limit: number, idleAtMs: number, statsSinceMs: number): number
export function saveMore(limit: number, bytes: number): number
export function saveTake(limit: number): number
export function saveEnd(limit: number): void
export function dumpStart(): void
export function dumpBytes(limit: number, kind: number): number
export function dumpNext(limit: number, kind: number, output: number, room: number): number
export function restoreRecord(limit: number, kind: number, record: number, bytes: number): number
export function restoreEnd(limit: number, kind: number): number
export function checksum(state: number, input: number, bytes: number): void
export function memoryTake(bytes: number): number
export function memoryGive(block: number, bytes: number): void
export function allocatedBytes(): number
