import { RULE_FIELDS } from "../policy/parse-rule.js"
import { RULE_NAME } from "../policy/rule-name.js"
import type { Field } from "./field.js"
import { CONFIG } from "./fields.js"
import { limit, RULE_CONDITIONS } from "./limit-fields.js"

/** A JSON Schema, as plain data. */
export type Schema = Readonly<Record<string, unknown>>

const DURATION = "^\\s*\\d+\\s*(ms|milliseconds?|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)\\s*$"

/**
 * The JSON Schema of `sluice.toml`, by which editors complete and check it. It is made of the same fields as the
 * validator; what only reading a policy can tell, the validator alone knows.
 */
export function configSchema(): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "sluice.toml",
    ...schemaOf(CONFIG),
    definitions: {
      policy: anyPolicy,
      rule: ruleSchema(),
      key: {
        anyOf: [
          { type: "string", pattern: "^(address|bearer-token|api-key(:.+)?|header:.+|cookie:.+)$" },
          ...["firstOf", "combine"].map((join) => ({
            type: "object",
            properties: { [join]: { type: "array", minItems: 1, items: { $ref: "#/definitions/key" } } },
            required: [join],
            additionalProperties: false,
          })),
        ],
      },
    },
  }
}

function schemaOf(field: Field): Schema {
  const { about: description, env, fallback } = field
  const whole = { ...kindSchema(field), ...field.schema }
  return {
    description: env === undefined ? description : `${description} ${env} in the environment overrides it.`,
    ...(fallback !== undefined && { default: fallback }),
    ...(field.kind === "table" && field.short !== undefined ? { anyOf: [text, whole] } : whole),
  }
}

function kindSchema(field: Field): Schema {
  switch (field.kind) {
    case "text":
      return { type: "string", pattern: field.pattern.source }
    case "choice": {
      const numbers = field.of.filter((each) => /^\d+$/.test(each)).map(Number)
      return { enum: [...numbers, ...field.of] }
    }
    case "flag":
      return { type: "boolean" }
    case "whole":
      return { type: "integer", minimum: field.min, maximum: field.max }
    case "share":
      return { type: "number", minimum: 0, maximum: 1 }
    case "duration":
      return { type: "string", pattern: DURATION }
    case "policy":
      return { $ref: "#/definitions/policy" }
    case "key":
      return { $ref: "#/definitions/key" }
    case "list":
      return { type: "array", minItems: field.minItems, items: schemaOf(field.of) }
    case "table":
      return {
        type: "object",
        properties: Object.fromEntries(Object.entries(field.fields).map(([name, each]) => [name, schemaOf(each)])),
        ...(field.required !== undefined && { required: field.required }),
        additionalProperties: false,
      }
    case "named":
      return { type: "object", propertyNames: { pattern: RULE_NAME.source }, additionalProperties: schemaOf(field.of) }
  }
}

const text: Schema = { type: "string", minLength: 1 }
const rule: Schema = { $ref: "#/definitions/rule" }
const anyPolicy: Schema = {
  anyOf: [text, rule, { type: "array", minItems: 1, maxItems: 8, items: { anyOf: [text, rule] } }],
}

function ruleSchema(): Schema {
  const { refill } = limit.fields
  return {
    type: "object",
    properties: {
      ...Object.fromEntries(RULE_FIELDS.map((name) => [name, schemaOf(limit.fields[name]!)])),
      refill: { anyOf: [{ const: "continuous" }, schemaOf(refill!)] },
      name: { type: "string", pattern: RULE_NAME.source },
    },
    required: ["limit", "period"],
    additionalProperties: false,
    allOf: RULE_CONDITIONS,
  }
}
