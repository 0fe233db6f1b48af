/** Tells who asked to hear of something. What they throw, or reject with, is theirs: nobody else is to hear of it. */
export function callListener<T extends unknown[]>(listener: (...news: T) => unknown, ...news: T): void {
  try {
    const hearing = listener(...news)
    if (hearing instanceof Promise) hearing.catch(() => undefined)
  } catch {}
}
