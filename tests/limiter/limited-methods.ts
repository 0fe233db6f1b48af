import { type Checker, limited, RateLimiter } from "../../src/index.js"

const limiter = new RateLimiter("1/day")
declare const remote: Checker

interface Named {
  readonly name: string
}

interface Cancelable extends Promise<string> {
  cancel(): void
}

/** Methods of every kind under the decorator, for their types alone: what runs the tests knows no decorators. */
export class LimitedMethods {
  @limited("1/day", { key: (user) => user.toUpperCase(), cost: (_user, count) => count ?? 1 })
  optional(user: string, count = 1): string {
    return user.repeat(count)
  }

  @limited("1/day", { key: ({ name }) => name })
  generic<T extends Named>(value: T): T {
    return value
  }

  @limited(limiter, { key: (value) => String(value) })
  isText(value: unknown): value is string {
    return typeof value === "string"
  }

  overloaded(value: string): number
  overloaded(value: number): string
  @limited(limiter)
  overloaded(value: string | number): string | number {
    return typeof value === "string" ? Number(value) : String(value)
  }

  @limited("1/day", {
    key(user) {
      return this.optional(user)
    },
  })
  async later(user: string): Promise<string> {
    return user
  }

  @limited("1/day")
  *items(count: number): Generator<number, string, void> {
    yield count
    return "end"
  }

  @limited("1/day")
  static make(): LimitedMethods {
    return new LimitedMethods()
  }

  @limited(remote, { key: ({ name }) => name })
  async genericLater<T extends Named>(value: T): Promise<T> {
    return value
  }

  // @ts-expect-error -- behind a limiter that answers by promise, so does the method
  @limited(remote)
  atOnce(value: string): string {
    return value
  }

  // @ts-expect-error -- nor can its promise be iterated
  @limited(remote)
  async *itemsLater(count: number): AsyncGenerator<number> {
    yield count
  }

  // @ts-expect-error -- nor is it more than a promise
  @limited(remote)
  cancelable(): Cancelable {
    return Object.assign(Promise.resolve("sent"), { cancel() {} })
  }

  // @ts-expect-error -- the key's function gets what the method gets
  @limited("1/day", { key: (user: number) => String(user) })
  keyed(user: string): string {
    return user
  }
}
