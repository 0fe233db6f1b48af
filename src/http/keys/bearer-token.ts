import type { KeyExtractor } from "./key-extractor.js"
import { sha256Hex } from "./sha256-hex.js"

/**
 * Limits by bearer token (RFC 6750, `Authorization: Bearer …`): the key is `bearer:` and the SHA-256 of the token in
 * hexadecimal. As with `apiKey`, the token is not verified here, and an invented one is a fresh key.
 */
export function bearerToken(): KeyExtractor {
  return async function bearerTokenKey({ headers }) {
    const token = /^bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1]
    return token && `bearer:${await sha256Hex(token)}`
  }
}
