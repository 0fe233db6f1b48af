import { requireFields } from "../../policy/require-fields.js"
import type { KeyExtractor } from "./key-extractor.js"
import { sha256Hex } from "./sha256-hex.js"
import { HEADER_NAME } from "./token.js"

/** Where an API key is found. */
export interface ApiKeyOptions {
  /** The header that carries it; default `X-API-Key`. */
  readonly header?: string | undefined
}

/**
 * Limits by API key: the key is `apikey:` and the SHA-256 of it in hexadecimal, so that the secret itself reaches no
 * store, log or metric. White space around it does not count. The API key is not verified here. Refuse unknown ones
 * before the limit, or limit by address as well: an invented API key is a fresh key.
 *
 * @throws {RangeError} at construction, where `header` is no header name, or another option is named
 */
export function apiKey(options: ApiKeyOptions = {}): KeyExtractor {
  requireFields("use apiKey", options, { header: HEADER_NAME })
  const { header = "x-api-key" } = options
  return async function apiKeyKey({ headers }) {
    const secret = headers.get(header)?.trim()
    return secret ? `apikey:${await sha256Hex(secret)}` : undefined
  }
}
