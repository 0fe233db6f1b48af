/**
 * What a value of a configuration may be. The validator and the JSON Schema for editors are both made of these, so they
 * agree.
 */
export type Field = FieldKind & {
  /** For people: editors show it. */
  readonly about: string
  /** The value where none is given, as it would be written. */
  readonly fallback?: unknown
  /** The environment variable that overrides it. */
  readonly env?: string
  /** What its JSON Schema says beside, of what is validated once the whole is read. */
  readonly schema?: Readonly<Record<string, unknown>>
}

/** The kinds of values, as TOML or JSON write them. */
export type FieldKind =
  | { readonly kind: "text"; readonly pattern: RegExp; readonly allowed: string }
  | { readonly kind: "choice"; readonly of: readonly string[] }
  | { readonly kind: "flag" }
  | { readonly kind: "whole"; readonly min: number; readonly max: number; readonly unit?: string }
  | { readonly kind: "share" }
  | { readonly kind: "duration"; readonly minMs: number; readonly maxMs: number; readonly multipleMs?: number }
  | { readonly kind: "policy" }
  | { readonly kind: "key" }
  | {
      readonly kind: "list"
      readonly of: Field
      /** What an error calls them. */
      readonly items: string
      readonly minItems: number
    }
  | {
      readonly kind: "table"
      readonly fields: Readonly<Record<string, Field>>
      /** Those that have to be there, where the table is; none that are tables. */
      readonly required?: readonly string[]
      /** The field that a text in place of the table stands for. */
      readonly short?: string
    }
  | { readonly kind: "named"; readonly of: Field }
