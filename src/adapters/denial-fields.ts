import { mergeItems } from "../http/merge-fields.js"

/** The RateLimit fields of every style. */
export const LIMIT_FIELD = /^(x-)?ratelimit(-|$)/
/**
 * What a field says of the body of the answer that was to come is wrong for a denial: RFC 9110, section 8, and others.
 */
export const BODY_FIELDS = [
  ...["content-type", "content-length", "content-encoding", "content-language", "content-location", "content-range"],
  ...["content-disposition", "content-digest", "content-md5", "repr-digest", "digest", "etag", "last-modified"],
  // Not transfer-encoding: to Node its removal says that the answer is not to be chunked, and so ends with the
  // connection.
  "trailer",
]

/** A field of a denial, beside what was set before on the response to come: a limit that let the request pass, say. */
export function besideEarlier(name: string, value: string, earlier: unknown): string {
  if (LIMIT_FIELD.test(name)) return mergeItems(earlier, value)
  return name === "vary" && earlier ? `${earlier}, ${value}` : value
}
