import { problem } from "./fields.js"
import type { Route } from "./route.js"
import { type JsonSchema, Reference, reference, type Schema } from "./schema.js"

/**
 * The OpenAPI 3.1 document of the routes, from the schemas that validate them.
 *
 * @param version of sluice
 */
export function openApi(routes: readonly Route[], version: string): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    paths[route.path] ??= {}
    const described = operation(route)
    paths[route.path]![route.method.toLowerCase()] = described
    if (route.method === "GET") paths[route.path]!["head"] = withoutBody(described)
  }
  const document = {
    openapi: "3.1.1",
    info: {
      title: "sluice",
      version,
      summary: "An exact, durable rate limiter: one for many.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: collect(paths),
    },
  }
  return JSON.parse(JSON.stringify(document)) as JsonSchema
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly responses: Readonly<Record<number, { readonly description: string; readonly content: unknown }>>
  readonly [member: string]: unknown
}

/** The HEAD of what is asked by a GET. */
function withoutBody({ operationId, summary, responses, ...rest }: Operation): Operation {
  const described = Object.entries(responses).map(([status, { description }]) => [status, { description }])
  return {
    ...rest,
    operationId: `${operationId}Head`,
    summary: `${summary} Without the body.`,
    responses: Object.fromEntries(described),
  }
}

function operation({ id, summary, path, body, query, answer, method, notFound }: Route): Operation {
  const hasKey = path.endsWith("{key}")
  const missing = hasKey ? "The key is one that a URL takes for a part of its path: say it in a body." : notFound
  const parameters = [
    ...(hasKey ? [{ name: "key", in: "path", required: true, schema: { type: "string", minLength: 1 } }] : []),
    ...queryParameters(query),
    ...(answer.contentType === "text/event-stream"
      ? [{ name: "Last-Event-ID", in: "header", schema: { type: "string" } }]
      : []),
  ]
  return {
    operationId: id,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: reference(body) } } },
    }),
    responses: {
      200: {
        description: answer.description,
        content: { [answer.contentType]: { schema: reference(answer.schema) } },
      },
      ...(method === "POST" && {
        415: problemResponse("The body is said to be something else than JSON, or to be encoded."),
      }),
      400: problemResponse("The request, or a value in it, cannot be. Nothing was changed."),
      401: problemResponse("The token is missing or wrong."),
      403: problemResponse("No token is set, and the request is not from this machine."),
      ...(missing !== undefined && { 404: problemResponse(missing) }),
      408: problemResponse("The request did not arrive in time."),
      413: problemResponse("The body is longer than 64 KiB."),
      417: problemResponse("What the request expects is not known."),
      429: problemResponse("Too many wrong tokens came from this address."),
      431: problemResponse("The header fields are too many or too long."),
      500: problemResponse("The store is damaged, or the server failed."),
      503: problemResponse("The store cannot be reached."),
    },
  }
}

function problemResponse(description: string) {
  return { description, content: { "application/problem+json": { schema: reference(problem) } } }
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

function queryParameters(query: Schema<unknown> | undefined) {
  const { properties = {}, required = [] } = (query?.json ?? {}) as ObjectSchema
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: "query", ...(required.includes(name) && { required: true }), schema }
  })
}

/** All schemas that are referred to, by their names. */
function collect(root: unknown): Record<string, JsonSchema> {
  const found: Record<string, JsonSchema> = {}
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    if (value instanceof Reference) {
      const name = Reference.nameOf(value)
      if (Object.hasOwn(found, name)) return
      found[name] = Reference.targetOf(value)
      walk(found[name])
      return
    }
    for (const part of Object.values(value)) walk(part)
  }
  walk(root)
  return found
}
