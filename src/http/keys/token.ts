import type { Kind } from "../../policy/require-fields.js"

/** A token of RFC 9110, section 5.6.2, which the names of headers and of cookies are; an error calls it `allowed`. */
export function token(allowed: string): Kind {
  return { allowed, fits: (value) => typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(value) }
}

export const HEADER_NAME = token("the name of a header")
