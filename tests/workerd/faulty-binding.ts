import { evictDurableObject } from "cloudflare:test"
import type { LimiterObject } from "../../worker/sluice-worker.js"

/** What happens to a call on its way. */
export type Fault =
  | "none"
  /** The network is cut before the call arrives. */
  | "lost-call"
  /** The network is cut before the answer arrives. */
  | "lost-answer"
  /** The call arrives twice; the caller gets the second answer. */
  | "duplicate"
  /** The caller is told of a failure, and the call arrives afterwards. */
  | "late"
  /** The call arrives when `answer` is called. */
  | "late-call"
  /** The call arrives, and its answer comes when `answer` is called. */
  | "late-answer"
  /** The object is evicted first. */
  | "evicted"
  | "overloaded"
  /** No answer ever comes. */
  | "hanging"

export interface FaultyBinding<Bound extends Rpc.DurableObjectBranded = LimiterObject> {
  readonly binding: DurableObjectNamespace<Bound>
  /** Calls that were made, arrived or not. */
  calls: number
  /** Lets the late calls and answers come. */
  answer(): void
  /** Waits for what arrives late. */
  settled(): Promise<void>
}

/** A namespace whose calls fail as a plan says. */
export function faultyBinding<Bound extends Rpc.DurableObjectBranded = LimiterObject>(
  namespace: DurableObjectNamespace<Bound>,
  faultOf: (verb: string, call: number) => Fault,
): FaultyBinding<Bound> {
  const late: Promise<unknown>[] = []
  const answering = Promise.withResolvers<void>()
  const faulty: FaultyBinding<Bound> = {
    calls: 0,
    binding: new Proxy(namespace, {
      get(target, property) {
        if (property !== "getByName") return Reflect.get(target, property).bind(target)
        return (name: string) => new Proxy({}, { get: (_stub, verb) => verbOf(name, String(verb)) })
      },
    }),
    answer: answering.resolve,
    async settled() {
      await Promise.allSettled(late)
    },
  }

  function verbOf(name: string, verb: string): unknown {
    // A stub in a promise would be asked whether it is one.
    if (verb === "then") return undefined
    return async (...args: unknown[]) => {
      faulty.calls += 1
      const send = () =>
        (namespace.getByName(name) as unknown as Record<string, (...args: unknown[]) => unknown>)[verb]!(...args)
      switch (faultOf(verb, faulty.calls)) {
        case "lost-call":
          throw new Error("Network connection lost.")
        case "lost-answer":
          await send()
          throw new Error("Network connection lost.")
        case "duplicate":
          await send()
          return send()
        case "late":
          late.push(Promise.resolve().then(send))
          throw new Error("Network connection lost.")
        case "late-call":
          await answering.promise
          return send()
        case "late-answer": {
          const told = await send()
          await answering.promise
          return told
        }
        case "evicted":
          // One that does not run yet cannot be evicted.
          await evictDurableObject(namespace.getByName(name)).catch(() => undefined)
          return send()
        case "overloaded":
          throw Object.assign(new Error("Durable Object is overloaded."), { overloaded: true, retryable: true })
        case "hanging":
          return new Promise(() => {})
        default:
          return send()
      }
    }
  }
  return faulty
}
