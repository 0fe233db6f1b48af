import { badField } from "../request-error.js"
import { defineRoute, jsonOf } from "../route.js"
import type { Schema } from "../schema.js"

/** What OpenAPI itself specifies is not said again. */
const openApiDocument: Schema<object> = {
  json: { type: "object" },
  read(value, field) {
    if (typeof value === "object" && value !== null) return value
    throw badField(field, value, "an object")
  },
}

export const document = defineRoute({
  method: "GET",
  path: "/v1/openapi.json",
  id: "getDocument",
  summary: "This document.",
  answer: jsonOf(openApiDocument, "OpenAPI 3.1, made of the schemas that validate."),
  handle: (context) => context.document(),
})
