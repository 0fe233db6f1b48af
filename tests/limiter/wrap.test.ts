import { promisify } from "node:util"
import { describe, expect, expectTypeOf, test, vi } from "vitest"
import { type Checker, limited, ManualClock, RateLimitExceeded, RateLimiter, wrap } from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import type { LimitedMethods } from "./limited-methods.js"

function remote(limiter: RateLimiter): Checker {
  return {
    check: async (key, options) => limiter.check(key, options),
    refund: async (receipt, units) => limiter.refund(receipt, units),
  }
}

describe("wrap()", () => {
  test("calls through while there is quota, then throws with the decision", () => {
    const clock = new ManualClock(0)
    const limiter = new RateLimiter("2/minute", { clock })
    const add = wrap(limiter, (a: number, b: number) => a + b)
    expectTypeOf(add).returns.toEqualTypeOf<number>()
    expect([add(1, 2), add(3, 4)]).toEqual([3, 7])
    const error = (() => {
      try {
        add(5, 6)
      } catch (error) {
        return error as RateLimitExceeded
      }
    })()
    expect(error).toBeInstanceOf(RateLimitExceeded)
    expect(error).toMatchObject({
      code: "RATE_LIMIT_EXCEEDED",
      retryAfter: 30,
      retryAfterMs: 30_000,
      limit: 2,
      remaining: 0,
    })
    expect(error?.decision).toMatchObject({ allowed: false, limit: 2, remaining: 0 })
    clock.advance(30_000)
    expect(add(5, 6)).toBe(11)
  })

  test("counts by the function's name, a key for all, or each call's own", () => {
    const limiter = new RateLimiter("1/minute")
    function ping() {
      return "pong"
    }
    wrap(limiter, ping)()
    expect(limiter.peek("ping").allowed).toBe(false)
    wrap(limiter, ping, { key: "all" })()
    expect(limiter.peek("all").allowed).toBe(false)
    const greet = limiter.wrap((name: string) => `hello ${name}`, { key: (name) => `user:${name}` })
    expect([greet("ada"), greet("bob")]).toEqual(["hello ada", "hello bob"])
    expect(() => greet("ada")).toThrow(RateLimitExceeded)
  })

  test("keeps the function's name and length, so that what is wrapped again counts apart", () => {
    const [inner, outer] = [new RateLimiter("9/minute"), new RateLimiter("1/minute")]
    const foo = outer.wrap(
      inner.wrap(function foo(name: string) {
        return name
      }),
    )
    const bar = outer.wrap(inner.wrap(function bar() {}))
    expect([foo.name, foo.length, bar.name, bar.length]).toEqual(["foo", 1, "bar", 0])
    foo("ada")
    bar()
    expect([outer.peek("foo").allowed, outer.peek("bar").allowed]).toEqual([false, false])
  })

  test("says so where a call's key is a promise", () => {
    const greet = wrap(new RateLimiter("1/minute"), () => "hello", { key: (async () => "ada") as never })
    expect(greet).toThrow("Cannot use key a promise: a key is a string.")
  })

  test("charges what the call costs, and keeps `this`", () => {
    const limiter = new RateLimiter("10/minute")
    const store = {
      name: "disk",
      write: wrap(
        limiter,
        function (this: { name: string }, text: string) {
          return `${this.name}: ${text}`
        },
        {
          key() {
            return this.name
          },
          cost: (text) => text.length,
        },
      ),
    }
    expect(store.write("hello")).toBe("disk: hello")
    expect(limiter.peek("disk").remaining).toBe(5)
    expect(() => store.write("hello world")).toThrow("exceeds the capacity 10")
    expect(limiter.peek("disk").remaining).toBe(5)
  })

  test("does not call the function when denied, and what it throws is thrown", async () => {
    let calls = 0
    const fails = wrap(new RateLimiter("1/minute"), () => {
      calls += 1
      throw new Error("own")
    })
    expect(fails).toThrow("own")
    expect(fails).toThrow(RateLimitExceeded)
    expect(calls).toBe(1)
  })

  test("behind a limiter that answers by promise returns one", async () => {
    const add = wrap(remote(new RateLimiter("1/minute")), (a: number) => a + 1, { key: "k" })
    expectTypeOf(add).returns.toEqualTypeOf<Promise<number>>()
    await expect(add(1)).resolves.toBe(2)
    await expect(add(1)).rejects.toThrow(RateLimitExceeded)
  })

  test.each([undefined, null, "ok"])("says so where the limiter's answer is %j", (answer) => {
    const limiter = { check: () => answer as never, refund: () => {} }
    const text = "Cannot call: the limiter's answer is"
    expect(wrap(limiter, () => "done", { key: "k" })).toThrow(text)
  })

  test("of an async function rejects, whatever the limiter, be it wrapped once or again", async () => {
    const send = async (to: string) => `sent to ${to}`
    for (const limiter of [new RateLimiter("1/minute"), remote(new RateLimiter("1/minute"))]) {
      const limitedSend = wrap(new RateLimiter("9/minute"), wrap(limiter, send))
      expectTypeOf(limitedSend).returns.toEqualTypeOf<Promise<string>>()
      const results = await Promise.allSettled(["ada", "bob"].map((to) => limitedSend(to)))
      expect(results).toMatchObject([
        { status: "fulfilled", value: "sent to ada" },
        { status: "rejected", reason: { code: "RATE_LIMIT_EXCEEDED" } },
      ])
      expect([limitedSend.name, limitedSend.length]).toEqual(["send", 1])
    }
  })

  test("of an async function rejects where its key cannot be", async () => {
    const send = wrap(new RateLimiter("1/minute"), async () => "sent", { key: () => "" })
    await expect(send()).rejects.toMatchObject({ code: "KEY_INVALID" })
  })

  test("keeps the function's parameters as they are, whatever the options take of them", async () => {
    const limiter = new RateLimiter("9/minute")
    function join(first: string, second = "-", ...rest: string[]) {
      return [first, second, ...rest].join("")
    }
    const options = { key: (first: string) => first }
    const joins = [wrap(limiter, join, options), limiter.wrap(join, options), wrap(remote(limiter), join, options)]
    expectTypeOf(joins[0]!).parameters.toEqualTypeOf<Parameters<typeof join>>()
    expectTypeOf(wrap(limiter, join, options)).toEqualTypeOf<typeof join>()
    expectTypeOf(limiter.wrap(join, options)).toEqualTypeOf<typeof join>()
    expectTypeOf(wrap(remote(limiter), join, options)).parameters.toEqualTypeOf<Parameters<typeof join>>()
    for (const each of joins) expect([await each("a"), await each("a", "b", "c")]).toEqual(["a-", "abc"])
  })

  test("keeps the type parameters of a function", () => {
    const limiter = new RateLimiter("9/minute")
    const same = <T>(value: T) => value
    const key = (value: unknown) => String(value)
    expectTypeOf(wrap(limiter, same, { key })("ada" as const)).toEqualTypeOf<"ada">()
    expectTypeOf(limiter.wrap(same, { key })(3 as const)).toEqualTypeOf<3>()
  })

  test("keeps overloads, a type guard and properties behind a limiter that answers at once", () => {
    const limiter = new RateLimiter("9/minute")
    function convert(value: string): number
    function convert(value: number): string
    function convert(value: string | number) {
      return typeof value === "string" ? Number(value) : String(value)
    }
    for (const converted of [wrap(limiter, convert), limiter.wrap(convert, { key: "k" })]) {
      expectTypeOf(converted).toEqualTypeOf<typeof convert>()
      expect([converted("1"), converted(2)]).toEqual([1, "2"])
    }
    const isText = limiter.wrap((value: unknown): value is string => typeof value === "string")
    expectTypeOf(isText).guards.toBeString()
    const described = wrap(
      limiter,
      Object.assign(() => "hello", { unit: "words" }),
    )
    expect([described(), described.unit]).toEqual(["hello", "words"])
  })

  test("keeps getters and properties that cannot be written, and nothing that would call past the limit", async () => {
    let calls = 0
    const count = () => {
      calls += 1
      return calls
    }
    Object.defineProperties(count, {
      name: { value: "counter", enumerable: true },
      length: { value: 3, enumerable: true },
      calls: { get: () => calls, enumerable: true },
      unit: { value: "calls", enumerable: true },
      [promisify.custom]: { value: async () => count(), enumerable: true },
    })
    const limiter = new RateLimiter("2/minute")
    const counted = limiter.wrap(count)
    counted()
    counted()
    expect([counted.name, counted.length]).toEqual(["counter", 3])
    expect({ ...counted }).toEqual({ calls: 2, unit: "calls" })
    await expect(promisify(counted)()).rejects.toThrow(RateLimitExceeded)
    expect(calls).toBe(2)
  })

  test("takes the types of the parameters from the function alone", () => {
    const limiter = new RateLimiter("9/minute")
    // @ts-expect-error -- the cost's function gets what the function gets
    const same = wrap(limiter, (name: string) => name, { key: "k", cost: (units: number) => units })
    expect(() => same("ada")).toThrow("cost is")
    expect(wrap(limiter, (name: string) => name, { key: (name) => name })("bob")).toBe("bob")
  })

  test("takes the types of the parameters from where the function is wanted", () => {
    const limiter = new RateLimiter("9/minute")
    interface Response {
      send(text: string): void
    }
    const sent: string[] = []
    const get = (path: string, handler: (request: { readonly path: string }, response: Response) => void) =>
      handler({ path }, { send: (text) => sent.push(text) })
    get(
      "/a",
      wrap(limiter, (request, response) => response.send(request.path)),
    )
    get(
      "/b",
      limiter.wrap((request, response) => response.send(request.path), { key: (request) => request.path }),
    )
    expect(sent).toEqual(["/a", "/b"])
    const size: (text: string) => number = wrap(limiter, (text) => text.length)
    expect([size("ada"), ...[1, 2].map(wrap(limiter, (number) => number + 1))]).toEqual([3, 2, 3])
  })

  test("takes one of several named limits", () => {
    const limits = new MemoryLimits({ limits: { mail: "1/minute" } })
    const send = wrap(oneLimit(limits, "mail"), () => "sent", { key: "ada" })
    expectTypeOf(send).returns.toEqualTypeOf<string>()
    expect(send()).toBe("sent")
    expect(send).toThrow(RateLimitExceeded)
  })

  test("asks the limit of several that it names", async () => {
    const limits = new MemoryLimits({ limits: { default: "9/minute", mail: "1/minute" } })
    const send = wrap(limits, () => "sent", { key: "ada", limit: "mail" })
    expectTypeOf(send).returns.toEqualTypeOf<string>()
    expect(send()).toBe("sent")
    expect(send).toThrow(RateLimitExceeded)
    expect(limits.peek("ada").remaining).toBe(9)
    expect(wrap(new RateLimiter("1/minute"), () => "sent", { key: "ada", limit: "mail" })).toThrow('option is "limit"')
  })

  describe("with skipFailed", () => {
    const fails = () => {
      throw new Error("own")
    }

    test("gives the units of a call that throws back", () => {
      const limiter = new RateLimiter("10/minute")
      const call = limiter.wrap(fails, { key: "k", cost: 4, skipFailed: true })
      expect(call).toThrow("own")
      expect(limiter.peek("k").remaining).toBe(10)
      const done = limiter.wrap(() => "done", { key: "k", cost: 4, skipFailed: true })
      expect(done()).toBe("done")
      expect(limiter.peek("k").remaining).toBe(6)
    })

    test.each([
      ["rejects", async () => fails()],
      ["returns a promise that rejects", () => Promise.reject(new Error("own"))],
    ])("gives those of a call back that %s, behind whatever limiter", async (_, fn) => {
      const limiter = new RateLimiter("10/minute")
      const options = { key: "k", cost: 4, skipFailed: true }
      for (const each of [limiter, remote(limiter)]) {
        await expect(wrap(each, fn, options)()).rejects.toThrow("own")
        expect(limiter.peek("k").remaining).toBe(10)
      }
      await expect(wrap(remote(limiter), fails, options)()).rejects.toThrow("own")
      expect(limiter.peek("k").remaining).toBe(10)
    })

    test("gives those of an async function back where another Promise has taken the place of the global one", async () => {
      const limiter = new RateLimiter("10/minute")
      const call = limiter.wrap(async () => fails(), { key: "k", skipFailed: true })
      vi.stubGlobal("Promise", class extends Promise<unknown> {})
      try {
        await expect(call()).rejects.toThrow("own")
      } finally {
        vi.unstubAllGlobals()
      }
      expect(limiter.peek("k").remaining).toBe(10)
    })

    test("hands a thenable on as it is, and begins it only where a promise is waited for anyway", async () => {
      const limiter = new RateLimiter("10/minute")
      let begun = 0
      class Query {
        // biome-ignore lint/suspicious/noThenProperty: as query builders have it
        then(resolve: (value: string) => unknown, reject?: (error: unknown) => unknown) {
          begun += 1
          return Promise.reject(new Error("own")).then(resolve, reject)
        }
      }
      const query = new Query()
      const find = limiter.wrap(() => query, { key: "k", skipFailed: true })
      expect(find()).toBe(query)
      expect(begun).toBe(0)
      class Task extends Promise<never> {}
      const task = Task.reject(new Error("own"))
      expect(limiter.wrap(() => task, { key: "k", skipFailed: true })()).toBe(task)
      await expect(task).rejects.toThrow("own")
      expect(limiter.peek("k").remaining).toBe(8)
      const later = wrap(remote(limiter), () => query, { key: "k", skipFailed: true })
      await expect(later()).rejects.toThrow("own")
      const awaited = limiter.wrap(async () => query, { key: "k", skipFailed: true })
      await expect(awaited()).rejects.toThrow("own")
      expect([begun, limiter.peek("k").remaining]).toEqual([2, 8])
    })

    test("lets the charge of a generator stand that fails as its values are taken", () => {
      const limiter = new RateLimiter("10/minute")
      const items = limiter.wrap(
        function* () {
          yield 1
          fails()
        },
        { key: "k", skipFailed: true },
      )
      expect(() => [...items()]).toThrow("own")
      expect(limiter.peek("k").remaining).toBe(9)
    })

    test("tells what the call throws where nothing can be given back", async () => {
      const limiter = new RateLimiter("10/minute")
      const refund = () => {
        throw new Error("no refund")
      }
      const check: RateLimiter["check"] = (...args) => limiter.check(...args)
      const options = { key: "k", skipFailed: true }
      expect(wrap({ check, refund }, fails, options)).toThrow("own")
      const later = { check: async (key: string) => check(key), refund: async () => refund() }
      await expect(wrap(later, fails, options)()).rejects.toThrow("own")
      expect(limiter.peek("k").remaining).toBe(8)
    })

    test("gives nothing back of a call that was denied", () => {
      const limiter = new RateLimiter("1/minute")
      const call = limiter.wrap(fails, { key: "k", skipFailed: true })
      limiter.check("k")
      expect(call).toThrow(RateLimitExceeded)
      expect(limiter.peek("k").remaining).toBe(0)
    })
  })
})

describe("limited()", () => {
  // Applied by hand, as the decorator's standard has it: the runner of these tests does not lower decorators.
  const sendTo = (to: string) => `sent to ${to}`
  const context = { kind: "method", name: "send" } as ClassMethodDecoratorContext<unknown, typeof sendTo>

  test("limits a method by a policy of its own, under the method's name", () => {
    const send = limited<unknown, [string], typeof sendTo>("1/minute")(sendTo, context)
    expect(send.length).toBe(1)
    expect(send("ada")).toBe("sent to ada")
    expect(() => send("bob")).toThrow('key "send": policy "default" admits cost 1 in')
  })

  test("keeps the method's own type", () => {
    type Of<Name extends keyof LimitedMethods> = LimitedMethods[Name]
    expectTypeOf<Of<"optional">>().toEqualTypeOf<(user: string, count?: number) => string>()
    expectTypeOf<Of<"generic">>().toEqualTypeOf<<T extends { readonly name: string }>(value: T) => T>()
    expectTypeOf<Of<"isText">>().guards.toBeString()
    expectTypeOf<Of<"items">>().returns.toEqualTypeOf<Generator<number, string, void>>()
  })

  test("of an async method rejects", async () => {
    const send = limited<unknown, [], () => Promise<string>>("1/minute")(async () => "sent", context as never)
    await send()
    await expect(send()).rejects.toBeInstanceOf(RateLimitExceeded)
  })

  test("shares the limiter that it is given, and takes key and cost", () => {
    const limiter = new RateLimiter("10/minute")
    const options = { key: (to: string) => to, cost: 4 }
    const send = limited<unknown, [string], typeof sendTo>(limiter, options)(sendTo, context)
    send("ada")
    expect(limiter.peek("ada").remaining).toBe(6)
  })

  test("says so where TypeScript compiles decorators of the older kind", () => {
    const decorate = limited<unknown, [string], typeof sendTo>("1/minute") as (...args: unknown[]) => unknown
    expect(() => decorate({ send() {} }, "send", { value() {} })).toThrow(
      new TypeError("Cannot limit send: experimentalDecorators is true, allowed is false."),
    )
  })

  test("is for methods alone", () => {
    expect(() =>
      limited<unknown, [string], typeof sendTo>("1/minute")(sendTo, { ...context, kind: "getter" } as never),
    ).toThrow("it is a getter, allowed is a method")
    expect(() => limited("1/fortnight")).toThrow('period is "fortnight"')
  })
})
