// Methods with a limit, by a standard decorator. Node runs TypeScript but no decorators yet, so build it first:
//
//   npx esbuild examples/decorator.ts --bundle --format=esm --platform=node --packages=external --target=es2022 --outfile=examples/decorator.mjs
//   node examples/decorator.mjs
import { limited, ManualClock, RateLimitExceeded, RateLimiter } from "sluice"

const clock = new ManualClock(0)
const words = new RateLimiter("20/minute", { clock })

export class Mailer {
  /** 2 a minute to each address. */
  @limited(new RateLimiter("2/minute", { clock }), { key: (to) => `mail:${to}` })
  send(to: string, text: string): string {
    return `sent ${JSON.stringify(text)} to ${to}`
  }

  /** 20 words a minute in all, whoever speaks. */
  @limited(words, { cost: (text) => text.split(" ").length })
  say(text: string): string {
    return text
  }

  /** A limit of its own: 1 a minute. */
  @limited("1/minute")
  ping(): string {
    return "pong"
  }
}

/** What became of a call. */
export function attempt(call: () => string): string {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof RateLimitExceeded)) throw error
    const { retryAfter, decision } = error
    return `denied: ${decision.remaining} of ${decision.limit} left, try again in ${retryAfter} s`
  }
}

export function main(): string[] {
  const mailer = new Mailer()
  return [
    attempt(() => mailer.send("ada@example.com", "hello")),
    attempt(() => mailer.send("ada@example.com", "hello again")),
    attempt(() => mailer.send("ada@example.com", "are you there?")),
    attempt(() => mailer.send("bob@example.com", "hello")),
    attempt(() => mailer.say("one two three four")),
    attempt(() => `${words.peek("say").remaining} words left`),
    attempt(() => mailer.ping()),
  ]
}

if (import.meta.main) console.log(main().join("\n"))
