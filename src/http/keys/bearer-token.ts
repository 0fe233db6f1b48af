import type { KeyExtractor } from "./key-extractor.js"
import { sha256Hex } from "./sha256-hex.js"

/** A JWT, signed (three parts) or encrypted (five). Its header is a JSON object, whose brace is `e` in base64. */
const JWT = /^e[wy][\w-]*(?:(?:\.[^.]*){2}){1,2}$/

/**
 * Limits by bearer token (RFC 6750, `Authorization: Bearer …`): the key is `bearer:` and the SHA-256 of the token in
 * hexadecimal. As with `apiKey`, the token is not verified here, and an invented one is a fresh key.
 *
 * The parts of a JWT are hashed in their canonical base64url, since most libraries take other spellings for the same
 * bytes. A part that is no base64, of which many libraries skip what does not fit, counts as empty, so that all such
 * spellings of a JWT have a key or a few beside its own. Some signatures have several valid values all the same, so
 * after the verification of a JWT use `claim`.
 */
export function bearerToken(): KeyExtractor {
  return async function bearerTokenKey({ headers }) {
    // Any white space, as applications split it at: by another one the same token would be out of its limit.
    const token = /^\s*bearer\s+(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1]
    return token && `bearer:${await sha256Hex(canonicalToken(token))}`
  }
}

function canonicalToken(token: string): string {
  return JWT.test(token) ? token.split(".").map(canonicalBase64url).join(".") : token
}

/**
 * The one spelling of its bytes: without padding, the spare bits of the last character 0. What has no bytes is empty.
 */
function canonicalBase64url(text: string): string {
  try {
    const base64 = btoa(atob(text.replaceAll("-", "+").replaceAll("_", "/")))
    return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
  } catch {
    return ""
  }
}
