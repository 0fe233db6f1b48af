/**
 * Does work on each item, on at most so many at a time, and begins with no other when one has failed.
 *
 * @returns what came of each, in the items' order
 * @throws what the first that failed threw, once those that had begun are done: nothing goes on behind the caller's
 *   back
 */
export async function inParallel<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Array<R>(items.length)
  let next = 0

  async function goOn(): Promise<void> {
    while (next < items.length) {
      const at = next++
      try {
        results[at] = await work(items[at]!)
      } catch (error) {
        next = items.length
        throw error
      }
    }
  }

  const workers = Array.from({ length: Math.min(most, items.length) }, goOn)
  await Promise.all(workers).finally(() => Promise.allSettled(workers))
  return results
}
