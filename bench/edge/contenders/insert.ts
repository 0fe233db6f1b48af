import { DurableObject } from "cloudflare:workers"
import { keyOf } from "./key-of.js"

interface Env {
  COUNTER: DurableObjectNamespace<Counter>
}

/** Counts in memory and inserts one row per check: the plain way to make every check durable. */
export class Counter extends DurableObject<Env> {
  readonly #sql: SqlStorage
  #count: number

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec("CREATE TABLE IF NOT EXISTS checks (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)")
    this.#count = this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM checks").one().count
  }

  hit(): number {
    this.#sql.exec("INSERT INTO checks (at) VALUES (?)", Date.now())
    return ++this.#count
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    await env.COUNTER.getByName(keyOf(request)).hit()
    return new Response("ok")
  },
} satisfies ExportedHandler<Env>
