import fc from "fast-check"

const { SLUICE_PROPERTY_SEED } = process.env

/** How many runs may make limiters before the event loop turns. */
const RUNS_PER_TURN = 256
let runs = 0

/** What was found after this time is told as it is, shrunk or not. */
const LONGEST_MS = 20_000

/** Characters of a counterexample that are told. */
const LONGEST_TOLD = 4_000

/**
 * A property of what `run` throws. Thousands of limiters, a WebAssembly memory each, are collected only between
 * turns of the event loop, so it is turned now and then.
 */
export function propertyOf<T>(arbitrary: fc.Arbitrary<T>, run: (value: T) => void): fc.IAsyncProperty<[T]> {
  return fc.asyncProperty(arbitrary, async (value) => {
    if (++runs % RUNS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    run(value)
  })
}

/**
 * Runs a property, and throws what its smallest counterexample threw, together with the seed that shows it again:
 * `SLUICE_PROPERTY_SEED=<seed> npx vitest run <file>`. Without that variable each run has a seed of its own.
 *
 * @param batch counts the calls of one test, so that each has runs of its own under one seed
 */
export async function assertProperty<T>(property: fc.IAsyncProperty<T>, numRuns: number, batch = 0): Promise<void> {
  const seed = SLUICE_PROPERTY_SEED === undefined ? undefined : Number(SLUICE_PROPERTY_SEED) + batch
  const details = await fc.check(property, {
    numRuns,
    interruptAfterTimeLimit: LONGEST_MS,
    ...(seed === undefined ? {} : { seed }),
  })
  if (!details.failed) return
  const { errorInstance } = details
  const message = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  const told = [
    `SLUICE_PROPERTY_SEED=${details.seed - batch}, shrunk ${details.numShrinks} times: ${message}`,
    fc.stringify(details.counterexample).slice(0, LONGEST_TOLD),
  ]
  throw new Error(told.join("\n"), { cause: errorInstance })
}
