/**
 * The compiled core. workerd and bundlers import it as a module to be instantiated, the default; Deno and Node import
 * what it exports, as docs/abi.md tells it.
 */
declare const core: Instance<"Module">
export default core

/** What a class of `WebAssembly` makes. Not every configuration of TypeScript knows that namespace, and few need it. */
type Instance<Name extends string> = typeof globalThis extends {
  readonly WebAssembly: { readonly [Class in Name]: abstract new (...input: never[]) => infer Made }
}
  ? Made
  : object

export declare const memory: Instance<"Memory">
export declare const ABI_VERSION: number
export declare const BAD_ARGUMENT: number
export declare const DENIED: number
export declare const ADMITTED: number
export declare const BLOCKED: number
export declare const COST_ABOVE_CAPACITY: number
export declare const NO_ROOM: number
export declare const BRIEF: number
export declare const EVICT_NEAREST_FULL: number
export declare const DENY_NEW: number
export declare const KEEP_ALL: number
export declare const MAX_RULES: number
export declare const RULE_FIELDS: number
export declare const MAX_KEY_BYTES: number
export declare const ANCHOR_FIRST: number
export declare const GCRA: number
export declare const TOKEN_BUCKET: number
export declare const LEAKY_BUCKET: number
export declare const FIXED_WINDOW: number
export declare const SLIDING_WINDOW: number
export declare const SLIDING_WINDOW_LOG: number
export declare const TOKEN_BUCKET_STEPS: number
export declare const CELLS: number
export declare const BLOCKS: number
export declare const STATS: number

export declare function keyBuffer(): number
export declare function ruleBuffer(): number
export declare function verdictBuffer(): number
export declare function briefBuffer(): number
export declare function limitNew(
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
export declare function limitFree(limit: number): void
export declare function limitKeys(limit: number): number
export declare function limitBlocks(limit: number): number
export declare function limitCarry(from: number, to: number, nowMs: number): number
export declare function limitSetBlock(limit: number, blockMs: number): number
export declare function check(limit: number, keyLength: number, cost: number, nowMs: number): number
export declare function checkUnit(limit: number, keyLength: number, nowMs: number): number
export declare function checkUnitAgain(limit: number, nowMs: number): number
export declare function manyBytes(count: number): number
export declare function checkMany(
  limit: number,
  keys: number,
  ends: number,
  costs: number,
  count: number,
  nowMs: number,
  answers: number,
): number
export declare function admitMany(
  limit: number,
  keys: number,
  spans: number,
  costs: number,
  times: number,
  count: number,
  keySet: number,
): number
export declare function keySetNew(): number
export declare function keySetFree(set: number): void
export declare function peek(limit: number, keyLength: number, cost: number, nowMs: number): number
export declare function charge(limit: number, keyLength: number, units: number, nowMs: number): number
export declare function refund(
  limit: number,
  keyLength: number,
  units: number,
  chargedAtMs: number,
  nowMs: number,
): number
export declare function since(limit: number, keyLength: number, rule: number, nowMs: number): number
export declare function block(limit: number, keyLength: number, untilMs: number, nowMs: number): number
export declare function unblock(limit: number, keyLength: number): number
export declare function blockedUntil(limit: number, keyLength: number): number
export declare function reset(limit: number, keyLength: number, nowMs: number): number
export declare function stats(limit: number, keyLength: number): number
export declare function noteDenials(
  limit: number,
  keyLength: number,
  count: number,
  cost: number,
  lastMs: number,
): number
export declare function fullAfter(limit: number, nowMs: number): number
export declare function sweep(limit: number, nowMs: number, budget: number): number
export declare function saveStart(): void
export declare function saveNext(limit: number, kind: number, nowMs: number): number
export declare function saveCell(limit: number, kind: number, cell: number, output: number, room: number): number
export declare function loadCells(limit: number, kind: number, input: number, bytes: number): number
export declare function hasCells(limit: number, kind: number, input: number, bytes: number): number
export declare function saveBegin(limit: number, idleAtMs: number, statsSinceMs: number): number
export declare function saveMore(limit: number, bytes: number): number
export declare function saveTake(limit: number): number
export declare function saveEnd(limit: number): number
export declare function dumpStart(): void
export declare function dumpBytes(limit: number, kind: number): number
export declare function dumpNext(limit: number, kind: number, output: number, room: number): number
export declare function restoreRecord(limit: number, kind: number, record: number, bytes: number): number
export declare function restoreEnd(limit: number, kind: number): number
export declare function checksum(state: number, input: number, bytes: number): void
export declare function memoryTake(bytes: number): number
export declare function memoryGive(block: number, bytes: number): void
export declare function memoryRefusals(): number
export declare function healCount(): number
export declare function allocatedBytes(): number
