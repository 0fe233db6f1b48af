/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} label
 * @property {number} keys how many different keys are asked about; each is one live object
 * @property {number} warmUpMs asked before it is measured, unless the command says otherwise
 * @property {number} measureMs measured, unless the command says otherwise
 */

/**
 * What is asked for. workerd on disk holds three files open per live object, so far fewer than 5,000 keys.
 *
 * Each of the 1,000 is asked a few times in a second only, and sluice's `ahead` writes of such a key every five
 * seconds: it is measured for so long, once that many have passed, so that what is measured is what goes on.
 */
export const WORKLOADS = /** @type {const} */ ([
  { name: "hot", label: "1 hot key", keys: 1, warmUpMs: 1_000, measureMs: 3_000 },
  { name: "keys", label: "1,000 keys", keys: 1_000, warmUpMs: 6_000, measureMs: 5_000 },
])

/** How many callers ask at once. */
export const CONNECTIONS = /** @type {const} */ ([1, 32])

/** The paths of a workload's requests. */
export const pathsOf = ({ keys }) => Array.from({ length: keys }, (_, index) => `/check?client-${index}`)

/**
 * The figures to reach: the ratio of two contenders' requests/s in one cell of the table.
 * `connections: null` is every number of them.
 */
export const RATIO_GOALS = /** @type {const} */ ([
  { of: "sluice", to: "insert", workload: "hot", connections: 32, atLeast: 2.5 },
  { of: "sluice", to: "insert", workload: "keys", connections: null, atLeast: 1 },
  { of: "sluice", to: "hono-store", workload: "hot", connections: null, atLeast: 3 },
  { of: "sluice", to: "hono-store", workload: "keys", connections: null, atLeast: 1 },
  { of: "sluice-ahead", to: "insert", workload: "keys", connections: null, atLeast: 3 },
  { of: "sluice-ahead", to: "hono-store", workload: null, connections: null, atLeast: 1 },
  { of: "sluice-batch", to: "hono-store", workload: null, connections: null, atLeast: 1 },
  { of: "sluice-leased", to: "insert", workload: "hot", connections: 32, atLeast: 5 },
  { of: "sluice-denied", to: "plain", workload: "hot", connections: null, atLeast: 0.8 },
])

/** Storage rows per check that must not be exceeded. */
export const ROW_GOALS = /** @type {const} */ ([
  { of: "sluice", workload: "hot", connections: 32, atMost: 0.2 },
  { of: "sluice", workload: "hot", connections: 1, atMost: 1.05 },
  { of: "sluice", workload: "keys", connections: null, atMost: 1.05 },
  { of: "sluice-denied", workload: null, connections: null, atMost: 0 },
])

/** Calls of objects per check that must not be exceeded. */
export const CALL_GOALS = /** @type {const} */ ([
  { of: "sluice-denied", workload: "hot", connections: null, atMost: 0.01 },
])

/** The goal for a cell, or `undefined`. */
export function goalOf(goals, cell) {
  return goals.find(
    (goal) =>
      goal.of === cell.of &&
      (goal.to === undefined || goal.to === cell.to) &&
      (goal.workload === null || goal.workload === cell.workload) &&
      (goal.connections === null || goal.connections === cell.connections),
  )
}
