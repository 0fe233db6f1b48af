import type { Awaitable } from "../types/limiter.js"
import type { ApiContext } from "./api-context.js"
import type { ApiAnswer, ApiRequest } from "./api-request.js"
import type { Schema } from "./schema.js"

/** A request to a route, read. */
export interface Call<Body, Query> {
  readonly body: Body
  readonly query: Query
  /** The key in the path, decoded; empty where the route has none. */
  readonly key: string
  readonly request: ApiRequest
}

/** One endpoint: what it takes, what it answers, and how. The document and the validation both come from here. */
export interface Route<Body = unknown, Query = unknown> {
  readonly method: "GET" | "POST" | "DELETE"
  /** With `{key}` as its last segment where a key follows. */
  readonly path: string
  /** The operation's id in the document. */
  readonly id: string
  readonly summary: string
  readonly body?: Schema<Body>
  readonly query?: Schema<Query>
  readonly answer: { readonly contentType: string; readonly schema: Schema<unknown>; readonly description: string }
  /** When it is answered with 404. */
  readonly notFound?: string
  handle(context: ApiContext, call: Call<Body, Query>): Awaitable<ApiAnswer>
}

/** Keeps the types of a route's own body and query inside it. */
export function defineRoute<Body = undefined, Query = undefined>(route: Route<Body, Query>): Route {
  return route as Route
}

/** What a route answers in JSON. */
export function jsonOf(schema: Schema<unknown>, description: string): Route["answer"] {
  return { contentType: "application/json", schema, description }
}
