import { required, requireFields } from "../../policy/require-fields.js"
import type { KeyExtractor } from "./key-extractor.js"
import { percentDecoded } from "./percent-decoded.js"
import { sha256Hex } from "./sha256-hex.js"
import { token } from "./token.js"

const COOKIE_NAME = required(token("a token of RFC 6265"))

/**
 * Limits by the value of a cookie: the key is `cookie:`, the cookie's name, `=` and the SHA-256 of the value in
 * hexadecimal, since most cookies worth a limit are secrets. An invented value is a fresh key, so verify the session
 * before the limit, or limit by address as well.
 *
 * The value is trimmed, unquoted and percent-decoded, as parsers of cookies do it: however a client spells a value that
 * the application takes for the same, the key is the same. A cookie that comes with several values finds nothing, since
 * some parsers take the first of them and others the last. Nor does one with a quotation mark before its value and none
 * after it: some parsers take that mark away and the last character too, whatever it is.
 *
 * @throws {RangeError} at construction, where `name` is no cookie name
 */
export function cookie(name: string): KeyExtractor {
  requireFields("use cookie", { name }, { name: COOKIE_NAME })
  return async function cookieKey({ headers }) {
    const value = soleValue(name, headers.get("cookie") ?? "")
    return value ? `cookie:${name}=${await sha256Hex(value)}` : undefined
  }
}

/**
 * The value that a field `Cookie` has for a name; `undefined` where it has none, or one that parsers read differently.
 */
function soleValue(name: string, field: string): string | undefined {
  const seen = new Set<string>()
  let found: string | undefined
  for (const pair of field.split(";")) {
    const at = pair.indexOf("=")
    if (at === -1 || pair.slice(0, at).trim() !== name) continue
    const text = pair.slice(at + 1).trim()
    if (seen.has(text)) continue
    seen.add(text)
    const value = valueIn(text)
    if (value === undefined || (found !== undefined && value !== found)) return undefined
    found = value
  }
  return found
}

function valueIn(text: string): string | undefined {
  if (!text.startsWith('"')) return percentDecoded(text)
  return text.length > 1 && text.endsWith('"') ? percentDecoded(text.slice(1, -1)) : undefined
}
