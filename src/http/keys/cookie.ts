import { show } from "../../types/errors.js"
import type { KeyExtractor } from "./key-extractor.js"
import { sha256Hex } from "./sha256-hex.js"

/**
 * Limits by the value of a cookie: the key is `cookie:`, the cookie's name, `=` and the SHA-256 of the value in
 * hexadecimal, since most cookies worth a limit are secrets. Of several with the name the first counts. An invented
 * value is a fresh key, so verify the session before the limit, or limit by address as well.
 *
 * @throws {TypeError} at construction, where `name` is no cookie name
 */
export function cookie(name: string): KeyExtractor {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
    throw new TypeError(`Cannot use cookie: name is ${show(name)}, allowed is a token of RFC 6265.`)
  }
  return async function cookieKey({ headers }) {
    const pairs = headers.get("cookie")?.split(";") ?? []
    const pair = pairs.map((each) => each.trim()).find((each) => each.startsWith(`${name}=`))
    const value = pair?.slice(name.length + 1)
    return value ? `cookie:${name}=${await sha256Hex(value)}` : undefined
  }
}
