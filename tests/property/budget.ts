const { SLUICE_PROPERTY_CALLS } = process.env

/** Random calls that the comparison with the oracle makes; the other properties take their runs from it. */
export const PROPERTY_CALLS = Number(SLUICE_PROPERTY_CALLS ?? 1_100_000)

/** Runs of a property that is checked on scenarios of some dozens of calls. */
export const PROPERTY_RUNS = Math.ceil(PROPERTY_CALLS / 4_000)

/** How long one property may take on a slow machine before it counts as hanging. */
export const PROPERTY_TIMEOUT_MS = 600_000
