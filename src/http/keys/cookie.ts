import { checkFields, required } from "../../policy/check-fields.js"
import type { KeyExtractor } from "./key-extractor.js"
import { sha256Hex } from "./sha256-hex.js"
import { token } from "./token.js"

const COOKIE_NAME = required(token("a token of RFC 6265"))

/**
 * Limits by the value of a cookie: the key is `cookie:`, the cookie's name, `=` and the SHA-256 of the value in
 * hexadecimal, since most cookies worth a limit are secrets. Of several with the name the first counts. An invented
 * value is a fresh key, so verify the session before the limit, or limit by address as well.
 *
 * @throws {RangeError} at construction, where `name` is no cookie name
 */
export function cookie(name: string): KeyExtractor {
  checkFields("use cookie", { name }, { name: COOKIE_NAME })
  return async function cookieKey({ headers }) {
    const pairs = headers.get("cookie")?.split(";") ?? []
    const pair = pairs.map((each) => each.trim()).find((each) => each.startsWith(`${name}=`))
    const value = pair?.slice(name.length + 1)
    return value ? `cookie:${name}=${await sha256Hex(value)}` : undefined
  }
}
