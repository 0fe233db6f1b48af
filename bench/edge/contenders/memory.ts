import { DurableObject } from "cloudflare:workers"
import { keyOf } from "./key-of.js"

interface Env {
  COUNTER: DurableObjectNamespace<Counter>
}

/** Counts in memory and writes nothing: the ceiling of whatever asks one object per check. */
export class Counter extends DurableObject<Env> {
  #count = 0

  hit(): number {
    return ++this.#count
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    await env.COUNTER.getByName(keyOf(request)).hit()
    return new Response("ok")
  },
} satisfies ExportedHandler<Env>
