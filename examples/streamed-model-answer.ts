// Tokens of a language model are known when the answer has ended. So the most is reserved before the call, and settled
// when the stream ends: by what was used, however it ended.
//
//   node examples/streamed-model-answer.ts
import { ManualClock, RateLimiter } from "sluice"

/** A model that streams its answer, a piece at a time, each with the tokens that it took. */
export type Model = (prompt: string) => AsyncIterable<{ readonly text: string; readonly tokens: number }>

const MOST_TOKENS = 4_000

/**
 * The answer to a prompt, piece by piece. It waits up to 10 s for 4,000 tokens; what was not used of them is there again
 * when the stream has ended, also where the model failed or the reader went away.
 */
export async function* answer(
  limiter: RateLimiter,
  user: string,
  model: Model,
  prompt: string,
): AsyncGenerator<string> {
  using permit = await limiter.acquire(user, { cost: MOST_TOKENS, timeout: "10s" })
  permit.use(0)
  for await (const { text, tokens } of model(prompt)) {
    permit.use(tokens)
    yield text
  }
}

if (import.meta.main) {
  const limiter = new RateLimiter("10000/minute", { clock: new ManualClock(0) })
  const model: Model = async function* () {
    for (const text of ["Rate ", "limits ", "are ", "promises."]) yield { text, tokens: 120 }
  }
  for await (const text of answer(limiter, "user:42", model, "What are rate limits?")) {
    console.log(`${text.padEnd(10)} left meanwhile: ${limiter.peek("user:42").remaining}`)
  }
  console.log(`left in the end: ${limiter.peek("user:42").remaining}`)
}
