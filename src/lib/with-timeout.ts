/**
 * What `work` comes to, or what `onTimeout` says where it takes longer. What it comes to later is nobody's error.
 *
 * The timer is the caller's own: where another request was to settle `work` and is gone, this one goes on all the same.
 *
 * @param timeoutMs 0 … 2^31 − 1; timers of the platforms overflow beyond
 */
export function withTimeout<T, Late>(
  work: Promise<T>,
  timeoutMs: number,
  onTimeout: () => Late | Promise<Late>,
): Promise<T | Late> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(onTimeout()), timeoutMs)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
