/** What `core.wasm` exports, as `assembly/index.ts` documents it: pointers and lengths in bytes, the rest whole f64. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory
  readonly ABI_VERSION: WebAssembly.Global
  keyBuffer(): number
  ruleBuffer(): number
  verdictBuffer(): number
  briefBuffer(): number
  limitNew(
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
  limitFree(limit: number): void
  limitKeys(limit: number): number
  limitCarry(from: number, to: number, nowMs: number): number
  check(limit: number, keyLength: number, cost: number, nowMs: number): number
  checkUnit(limit: number, keyLength: number, nowMs: number): number
  checkUnitAgain(limit: number, nowMs: number): number
  manyBytes(count: number): number
  checkMany(
    limit: number,
    keys: number,
    ends: number,
    costs: number,
    count: number,
    nowMs: number,
    answers: number,
  ): number
  admitMany(
    limit: number,
    keys: number,
    spans: number,
    costs: number,
    times: number,
    count: number,
    seen: number,
  ): number
  keySetNew(): number
  keySetFree(set: number): void
  peek(limit: number, keyLength: number, cost: number, nowMs: number): number
  charge(limit: number, keyLength: number, units: number, nowMs: number): number
  refund(limit: number, keyLength: number, units: number, chargedAtMs: number, nowMs: number): number
  block(limit: number, keyLength: number, untilMs: number, nowMs: number): number
  unblock(limit: number, keyLength: number): number
  blockedUntil(limit: number, keyLength: number): number
  reset(limit: number, keyLength: number, nowMs: number): number
  stats(limit: number, keyLength: number): number
  noteDenials(limit: number, keyLength: number, count: number, cost: number, lastMs: number): number
  fullAfter(limit: number, nowMs: number): number
  sweep(limit: number, nowMs: number, budget: number): number
  saveStart(): void
  saveNext(limit: number, kind: number, nowMs: number): number
  saveCell(limit: number, kind: number, cell: number, output: number, room: number): number
  loadCell(limit: number, kind: number, input: number, bytes: number): number
  hasCells(limit: number, kind: number, input: number, bytes: number): number
  saveBegin(limit: number, idleAtMs: number, statsSinceMs: number): number
  saveMore(limit: number, bytes: number): number
  saveTake(limit: number): number
  saveEnd(limit: number): void
  dumpStart(): void
  dumpBytes(limit: number, kind: number): number
  dumpNext(limit: number, kind: number, output: number, room: number): number
  restoreRecord(limit: number, kind: number, record: number, bytes: number): number
  restoreEnd(limit: number, kind: number): number
  checksum(state: number, input: number, bytes: number): void
  memoryTake(bytes: number): number
  memoryGive(block: number, bytes: number): void
  allocatedBytes(): number
}

/** The ABI that this host speaks. */
export const ABI_VERSION = 1

/** Outcomes of `check`, `peek` and the other verbs. */
export const OUTCOME = {
  badArgument: -1,
  denied: 0,
  admitted: 1,
  blocked: 2,
  costAboveCapacity: 3,
  noRoom: 4,
} as const

/** Is added to the outcome of a `checkUnit` that is told in short. */
export const BRIEF = 8

/** The most bytes of a key. */
export const KEY_BYTES_MAX = 512
/** The most units that one call may charge. */
export const UNITS_MAX = 2 ** 31
/** The latest time that the core computes with, in ms since the epoch: the year 6429. */
export const LATEST_MS = 2 ** 47 - 1
