import { describe, expect, expectTypeOf, test } from "vitest"
import { type Checker, limited, ManualClock, RateLimitExceeded, RateLimiter, wrap } from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"

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

  test("takes the types of the parameters from the function alone", () => {
    const limiter = new RateLimiter("9/minute")
    // @ts-expect-error -- the type that the key's function declares does not become that of the function's parameter
    const same = wrap(limiter, (name) => name, { key: (name: string) => name })
    expect(same("ada" as never)).toBe("ada")
    expect(wrap(limiter, (name: string) => name, { key: (name) => name })("bob")).toBe("bob")
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
  const context = { kind: "method", name: "send" } as ClassMethodDecoratorContext<
    unknown,
    (this: unknown, to: string) => string
  >

  test("limits a method by a policy of its own, under the method's name", () => {
    const send = limited<unknown, [string], string>("1/minute")((to) => `sent to ${to}`, context)
    expect(send.length).toBe(1)
    expect(send.call(null, "ada")).toBe("sent to ada")
    expect(() => send.call(null, "bob")).toThrow('key "send": policy "default" admits cost 1 in')
  })

  test("of an async method rejects", async () => {
    const send = limited<unknown, [], Promise<string>>("1/minute")(async () => "sent", context as never)
    await send.call(null)
    await expect(send.call(null)).rejects.toBeInstanceOf(RateLimitExceeded)
  })

  test("shares the limiter that it is given, and takes key and cost", () => {
    const limiter = new RateLimiter("10/minute")
    const options = { key: (to: string) => to, cost: 4 }
    const send = limited<unknown, [string], string>(limiter, options)((to) => to, context)
    send.call(null, "ada")
    expect(limiter.peek("ada").remaining).toBe(6)
  })

  test("says so where TypeScript compiles decorators of the older kind", () => {
    const decorate = limited<unknown, [string], string>("1/minute") as (...args: unknown[]) => unknown
    expect(() => decorate({ send() {} }, "send", { value() {} })).toThrow(
      new TypeError("Cannot limit send: experimentalDecorators is true, allowed is false."),
    )
  })

  test("is for methods alone", () => {
    expect(() =>
      limited<unknown, [string], string>("1/minute")((to) => to, { ...context, kind: "getter" } as never),
    ).toThrow("it is a getter, allowed is a method")
    expect(() => limited("1/fortnight")).toThrow('period is "fortnight"')
  })
})
