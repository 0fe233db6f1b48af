import { nearestNameHint } from "../lib/nearest-name.js"
import { show } from "../types/errors.js"
import { badField } from "./request-error.js"

/** A JSON Schema (2020-12), as OpenAPI 3.1 has them. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** What a value may be: `read` validates, `json` tells the same to machines. One source for both. */
export interface Schema<T> {
  readonly json: JsonSchema
  /** Where the schema has a name, the document refers to it instead of repeating it. */
  readonly component?: string
  /**
   * @param field what an error calls the value
   * @throws {RequestError} naming the field, its value and what is allowed
   */
  read(value: unknown, field: string): T
}

/** A field that may be left out. */
export interface OptionalField<T> {
  readonly optional: Schema<T>
}

type Fields = Readonly<Record<string, Schema<unknown> | OptionalField<unknown>>>

/** The value that a schema reads. */
export type Read<S> = S extends Schema<infer T> ? T : never

type FieldsRead<F extends Fields> = {
  readonly [Name in keyof F as F[Name] extends Schema<unknown> ? Name : never]: Read<F[Name]>
} & {
  readonly [Name in keyof F as F[Name] extends OptionalField<unknown> ? Name : never]?: F[Name] extends OptionalField<
    infer T
  >
    ? T
    : never
}

interface Described {
  readonly description?: string
}

export function text(
  options: Described & { minLength?: number; maxLength?: number; pattern?: string; format?: string } = {},
): Schema<string> {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = options
  const expression = pattern === undefined ? null : new RegExp(pattern, "u")
  const length = maxLength === Number.POSITIVE_INFINITY ? "" : ` of ${minLength} to ${maxLength} characters`
  const allowed = `a text${length}${pattern === undefined ? "" : ` like ${pattern}`}`
  return {
    json: { type: "string", ...options },
    read(value, field) {
      // JSON Schema counts code points, a string's length counts UTF-16 units; only for few texts do they differ.
      if (typeof value === "string" && value.length >= minLength && value.length <= 2 * maxLength) {
        const isWithin = value.length <= maxLength || [...value].length <= maxLength
        if (isWithin && (expression === null || expression.test(value))) return value
      }
      throw badField(field, value, allowed)
    },
  }
}

/** A whole number, both ends included. */
export function whole(options: Described & { minimum: number; maximum: number }): Schema<number> {
  const { minimum, maximum } = options
  return {
    json: { type: "integer", ...options },
    read(value, field) {
      if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) return value
      throw badField(field, value, `a whole number from ${minimum} to ${maximum}`)
    },
  }
}

export function flag(options: Described = {}): Schema<boolean> {
  return {
    json: { type: "boolean", ...options },
    read(value, field) {
      if (typeof value === "boolean") return value
      throw badField(field, value, "true or false")
    },
  }
}

export function oneOf<const T extends string>(values: readonly T[]): Schema<T> {
  return {
    json: { type: "string", enum: values },
    read(value, field) {
      if (values.includes(value as T)) return value as T
      const named = values.map((each) => show(each)).join(", ")
      throw badField(field, value, `one of ${named}${nearestNameHint(value, values)}`)
    },
  }
}

export function nullable<T>(schema: Schema<T>): Schema<T | null> {
  return {
    json: { anyOf: [reference(schema), { type: "null" }] },
    read: (value, field) => (value === null ? null : schema.read(value, field)),
  }
}

export function arrayOf<T>(items: Schema<T>, options: Described & { minItems?: number; maxItems?: number } = {}) {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = options
  const count = maxItems === Number.POSITIVE_INFINITY ? "" : ` of ${minItems} to ${maxItems} items`
  const schema: Schema<readonly T[]> = {
    json: { type: "array", items: reference(items), ...options },
    read(value, field) {
      if (!Array.isArray(value) || value.length < minItems || value.length > maxItems) {
        throw badField(field, value, `an array${count}`)
      }
      return value.map((item, index) => items.read(item, `${field}[${index}]`))
    },
  }
  return schema
}

/** The first of several schemas that takes the value. */
export function anyOf<A, B>(
  first: Schema<A>,
  second: Schema<B>,
  options: { allowed: string } & Described,
): Schema<A | B> {
  const { allowed, ...described } = options
  return {
    json: { anyOf: [reference(first), reference(second)], ...described },
    read(value, field) {
      for (const schema of [first, second]) {
        try {
          return schema.read(value, field)
        } catch {
          // The next one may take it.
        }
      }
      throw badField(field, value, allowed)
    },
  }
}

export function optional<T>(schema: Schema<T>): OptionalField<T> {
  return { optional: schema }
}

/**
 * An object of these fields and no others.
 *
 * @param options `allOf` tells machines which fields go together; whoever reads the object is to see to it
 */
export function object<F extends Fields>(
  fields: F,
  options: Described & { allOf?: readonly JsonSchema[] } = {},
): Schema<FieldsRead<F>> {
  const entries = Object.entries(fields).map(([name, field]) => {
    return "optional" in field
      ? { name, schema: field.optional, required: false }
      : { name, schema: field, required: true }
  })
  const schemas = new Map(entries.map(({ name, schema }) => [name, schema]))
  const required = entries.filter((entry) => entry.required).map(({ name }) => name)
  return {
    json: {
      type: "object",
      properties: Object.fromEntries(entries.map(({ name, schema }) => [name, reference(schema)])),
      ...(required.length > 0 && { required }),
      additionalProperties: false,
      ...options,
    },
    read(value, field) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw badField(field, value, "an object")
      const at = field === "" || field === BODY ? "" : `${field}.`
      const result: Record<string, unknown> = {}
      for (const name of Object.keys(value)) {
        const schema = schemas.get(name)
        if (schema === undefined) {
          const known = [...schemas.keys()]
          const allowed = known.length === 0 ? "none" : `one of ${known.join(", ")}`
          throw badField(`${at}field`, name, `${allowed}${nearestNameHint(name, known)}`)
        }
        result[name] = schema.read((value as Record<string, unknown>)[name], `${at}${name}`)
      }
      for (const name of required) {
        if (!Object.hasOwn(result, name)) schemas.get(name)!.read(undefined, `${at}${name}`)
      }
      return result as FieldsRead<F>
    },
  }
}

/** What errors call the request's body as a whole. */
export const BODY = "the body"

/** Gives a schema a name in the document. */
export function component<T>(name: string, schema: Schema<T>): Schema<T> {
  return { ...schema, component: name }
}

/** The schema itself, or where it has a name a reference to it. */
export function reference(schema: Schema<unknown>): JsonSchema {
  if (schema.component === undefined) return schema.json
  return new Reference(schema.component, schema.json)
}

/** Serializes to `{ $ref }`, and remembers what it refers to so that the document can collect the components. */
export class Reference implements JsonSchema {
  readonly [keyword: string]: unknown
  readonly $ref: string
  readonly #target: JsonSchema
  readonly #name: string

  constructor(name: string, target: JsonSchema) {
    this.$ref = `#/components/schemas/${name}`
    this.#target = target
    this.#name = name
  }

  static nameOf(reference: Reference): string {
    return reference.#name
  }

  static targetOf(reference: Reference): JsonSchema {
    return reference.#target
  }
}

/** A whole number in a query, where everything is text. */
export function digits(options: Described & { minimum: number; maximum: number }): Schema<number> {
  const number = whole(options)
  return {
    json: number.json,
    read(value, field) {
      return number.read(typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value, field)
    },
  }
}
