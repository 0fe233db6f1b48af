import { apiKey } from "../http/keys/api-key.js"
import { bearerToken } from "../http/keys/bearer-token.js"
import { clientAddress } from "../http/keys/client-address.js"
import { combine } from "../http/keys/combine.js"
import { cookie } from "../http/keys/cookie.js"
import { firstOf } from "../http/keys/first-of.js"
import { header } from "../http/keys/header.js"
import type { KeyExtractor } from "../http/keys/key-extractor.js"

/** What a limit counts by, as a configuration says it. */
export type KeySetting =
  | string
  | { readonly firstOf: readonly KeySetting[] }
  | { readonly combine: readonly KeySetting[] }

type Make = (name: string | null, address: KeyExtractor) => KeyExtractor | null

/**
 * How each kind of key is made, from what stands after the colon; `null` where that should, or should not, be there.
 */
const KINDS: Readonly<Record<string, { readonly form: string; readonly make: Make }>> = {
  address: { form: '"address"', make: (name, address) => (name === null ? address : null) },
  "api-key": {
    form: '"api-key" or "api-key:HEADER"',
    make: (name) => (name === null ? apiKey() : apiKey({ header: name })),
  },
  "bearer-token": { form: '"bearer-token"', make: (name) => (name === null ? bearerToken() : null) },
  header: { form: '"header:NAME"', make: (name) => (name === null ? null : header(name)) },
  cookie: { form: '"cookie:NAME"', make: (name) => (name === null ? null : cookie(name)) },
}

const JOINS = { firstOf, combine } as const
const MAX_DEPTH = 8

/** What an error says that a key may be. */
const KEY_ALLOWED = `${Object.values(KINDS)
  .map(({ form }) => form)
  .join(", ")}, { firstOf = [keys] } or { combine = [keys] }`

/**
 * Makes the key extractor that a setting asks for:
 *
 * | setting | counts by |
 * |---|---|
 * | `"address"` | the client's address, as the platform knows it |
 * | `"header:NAME"` | the value of a header |
 * | `"api-key"`, `"api-key:NAME"` | the SHA-256 of the header `X-API-Key`, or of the one named |
 * | `"bearer-token"` | the SHA-256 of the token in `Authorization: Bearer …` |
 * | `"cookie:NAME"` | the SHA-256 of a cookie's value |
 * | `{ firstOf = ["api-key", "address"] }` | the first of several keys that the request has |
 * | `{ combine = ["address", "header:X-Tenant"] }` | several keys together |
 *
 * Requests without the key share one.
 *
 * @param field what an error calls the setting
 * @param refuse makes the error of a setting that cannot be
 * @param address what `"address"` is on this platform; default the address of the connection
 */
export function keyExtractorOf(
  field: string,
  setting: unknown,
  refuse: (field: string, value: unknown, allowed: string) => Error,
  address: KeyExtractor = clientAddress(),
  depth = 0,
): KeyExtractor {
  if (typeof setting === "string") {
    const made = namedExtractor(setting, address)
    if (made !== null) return made
  } else if (typeof setting === "object" && setting !== null && depth < MAX_DEPTH) {
    const [[join, keys] = [], ...others] = Object.entries(setting)
    if ((join === "firstOf" || join === "combine") && Array.isArray(keys) && keys.length > 0 && others.length === 0) {
      return JOINS[join](
        ...keys.map((key, index) => keyExtractorOf(`${field}.${join}[${index}]`, key, refuse, address, depth + 1)),
      )
    }
  }
  throw refuse(field, setting, KEY_ALLOWED)
}

function namedExtractor(setting: string, address: KeyExtractor): KeyExtractor | null {
  const colon = setting.indexOf(":")
  const kind = colon < 0 ? setting : setting.slice(0, colon)
  const name = colon < 0 ? null : setting.slice(colon + 1)
  try {
    // An empty name is not refused by every runtime.
    return name !== "" && Object.hasOwn(KINDS, kind) ? KINDS[kind]!.make(name, address) : null
  } catch {
    // The name is none that a header or cookie can have.
    return null
  }
}
