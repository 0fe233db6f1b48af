import { ALGORITHMS } from "../../../src/types/algorithm.js"
import { isTrue, same } from "../assert.js"
import type { CoreCase } from "../core-case.js"

/** Every function of the ABI, and how many arguments it takes. */
const FUNCTIONS: Readonly<Record<string, number>> = {
  keyBuffer: 0,
  ruleBuffer: 0,
  verdictBuffer: 0,
  briefBuffer: 0,
  limitNew: 9,
  limitFree: 1,
  limitKeys: 1,
  limitBlocks: 1,
  limitCarry: 3,
  limitSetBlock: 2,
  check: 4,
  checkUnit: 3,
  checkUnitAgain: 2,
  manyBytes: 1,
  checkMany: 7,
  admitMany: 7,
  keySetNew: 0,
  keySetFree: 1,
  peek: 4,
  charge: 4,
  refund: 5,
  since: 4,
  block: 4,
  unblock: 2,
  blockedUntil: 2,
  reset: 3,
  stats: 2,
  noteDenials: 5,
  fullAfter: 2,
  sweep: 3,
  saveStart: 0,
  saveNext: 3,
  saveCell: 5,
  loadCells: 4,
  hasCells: 4,
  saveBegin: 3,
  saveMore: 2,
  saveTake: 1,
  saveEnd: 1,
  dumpStart: 0,
  dumpBytes: 2,
  dumpNext: 4,
  restoreRecord: 4,
  restoreEnd: 2,
  checksum: 3,
  memoryTake: 1,
  memoryGive: 2,
  memoryRefusals: 0,
  healCount: 0,
  allocatedBytes: 0,
}

/** Every constant of the ABI. */
const CONSTANTS: Readonly<Record<string, number>> = {
  ABI_VERSION: 1,
  BAD_ARGUMENT: -1,
  DENIED: 0,
  ADMITTED: 1,
  BLOCKED: 2,
  COST_ABOVE_CAPACITY: 3,
  NO_ROOM: 4,
  BRIEF: 8,
  EVICT_NEAREST_FULL: 0,
  DENY_NEW: 1,
  KEEP_ALL: 2,
  MAX_RULES: 8,
  RULE_FIELDS: 8,
  MAX_KEY_BYTES: 512,
  ANCHOR_FIRST: -1,
  GCRA: 0,
  TOKEN_BUCKET: 1,
  LEAKY_BUCKET: 2,
  FIXED_WINDOW: 3,
  SLIDING_WINDOW: 4,
  SLIDING_WINDOW_LOG: 5,
  TOKEN_BUCKET_STEPS: 6,
  CELLS: 0,
  BLOCKS: 1,
  STATS: 2,
}

/** The host reads an algorithm's number under its name in capitals. */
const ALGORITHM_NAMES = ALGORITHMS.map((name) => name.toUpperCase())

export const moduleCases: readonly CoreCase[] = [
  {
    name: "module: imports nothing",
    run({ module }) {
      same(WebAssembly.Module.imports(module), [], "the imports")
    },
  },
  {
    name: "module: exports what the ABI says, and no more",
    run({ module }) {
      const found = WebAssembly.Module.exports(module).map(({ kind, name }) => `${kind} ${name}`)
      const expected = [
        "memory memory",
        ...Object.keys(FUNCTIONS).map((name) => `function ${name}`),
        ...new Set([...Object.keys(CONSTANTS), ...ALGORITHM_NAMES].map((name) => `global ${name}`)),
      ]
      const missing = expected.filter((name) => !found.includes(name))
      same(missing, [], "what is missing")
      const unknown = found.filter((name) => !expected.includes(name))
      same(unknown, [], "what the ABI does not say")
    },
  },
  {
    name: "module: functions take as many arguments as the ABI says",
    run({ instantiate }) {
      const exports = instantiate() as unknown as Record<string, (...args: number[]) => unknown>
      for (const [name, count] of Object.entries(FUNCTIONS)) same(exports[name]!.length, count, `arguments of ${name}`)
    },
  },
  {
    name: "module: constants are numbers with the values of the ABI",
    run({ instantiate }) {
      const exports = instantiate() as unknown as Record<string, WebAssembly.Global | number>
      for (const [name, expected] of Object.entries(CONSTANTS)) {
        const found = exports[name]!
        // An instance has a WebAssembly.Global, a module import its value.
        same(typeof found === "object" ? found.value : found, expected, name)
      }
    },
  },
  {
    name: "module: buffers lie apart, are aligned and inside the memory",
    run({ instantiate }) {
      const exports = instantiate()
      const buffers = [
        { name: "the key buffer", start: exports.keyBuffer(), bytes: 512 + 16 },
        { name: "the rule buffer", start: exports.ruleBuffer(), bytes: 8 * 8 * 8 },
        { name: "the verdict buffer", start: exports.verdictBuffer(), bytes: 8 * (4 + 3 * 8) },
        { name: "the brief buffer", start: exports.briefBuffer(), bytes: 3 * 8 },
      ].sort((a, b) => a.start - b.start)
      let end = 8
      for (const { name, start, bytes } of buffers) {
        isTrue(start >= end, `${name} to start behind the one before`)
        same(start % 8, 0, `${name}'s alignment to 8`)
        end = start + bytes
      }
      isTrue(end <= exports.memory.buffer.byteLength, "the buffers to lie inside the memory")
    },
  },
]
