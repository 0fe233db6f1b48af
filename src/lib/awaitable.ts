/** A value now, or a promise of it: the in-memory limiter answers at once, the others do not. */
export type Awaitable<T> = T | Promise<T>

/**
 * Goes on with an answer: now where it is there, else once it comes. What fails does so as the answer: now or by
 * promise.
 */
export function whenAnswered<Answer, Next>(
  answer: Awaitable<Answer>,
  next: (answer: Answer) => Awaitable<Next>,
): Awaitable<Next> {
  return isPromised(answer) ? Promise.resolve(answer).then(next) : next(answer)
}

/** As `whenAnswered`, of all the answers. */
export function whenAllAnswered<Answer, Next>(
  answers: readonly Awaitable<Answer>[],
  next: (answers: readonly Answer[]) => Awaitable<Next>,
): Awaitable<Next> {
  return answers.some(isPromised) ? Promise.all(answers).then(next) : next(answers as readonly Answer[])
}

/** Asks, and where that fails, now or by promise, answers as `recover` does. */
export function whenFailed<Answer>(
  ask: () => Awaitable<Answer>,
  recover: (error: unknown) => Awaitable<Answer>,
): Awaitable<Answer> {
  try {
    const answer = ask()
    return isPromised(answer) ? Promise.resolve(answer).catch(recover) : answer
  } catch (error) {
    return recover(error)
  }
}

/** Whether an answer is yet to come: any object with `then` counts, as for `await`. */
export function isPromised<Answer>(answer: Awaitable<Answer>): answer is Promise<Answer> {
  return typeof (answer as { then?: unknown } | null | undefined)?.then === "function"
}
