import { apiKey } from "../src/http/keys/api-key.js"
import { bearerToken } from "../src/http/keys/bearer-token.js"
import { clientAddress } from "../src/http/keys/client-address.js"
import { combine } from "../src/http/keys/combine.js"
import { cookie } from "../src/http/keys/cookie.js"
import { firstOf } from "../src/http/keys/first-of.js"
import { header } from "../src/http/keys/header.js"
import type { KeyExtractor } from "../src/http/keys/key-extractor.js"
import { SettingError } from "./setting-error.js"

/** What a limit counts by, as the settings say it. */
export type KeySetting =
  | string
  | { readonly firstOf: readonly KeySetting[] }
  | { readonly combine: readonly KeySetting[] }

/** How each kind of key is made, from what stands after the colon; `null` where that should, or should not, be there. */
const KINDS: Readonly<Record<string, { readonly form: string; make(name: string | null): KeyExtractor | null }>> = {
  address: {
    form: '"address"',
    make: (name) => (name === null ? clientAddress({ header: "CF-Connecting-IP" }) : null),
  },
  "api-key": {
    form: '"api-key" or "api-key:HEADER"',
    make: (name) => (name === null ? apiKey() : apiKey({ header: name })),
  },
  "bearer-token": { form: '"bearer-token"', make: (name) => (name === null ? bearerToken() : null) },
  header: { form: '"header:NAME"', make: (name) => (name === null ? null : header(name)) },
  cookie: { form: '"cookie:NAME"', make: (name) => (name === null ? null : cookie(name)) },
}

const JOINS = { firstOf, combine } as const

const ALLOWED = `${Object.values(KINDS)
  .map(({ form }) => form)
  .join(", ")}, { firstOf = [keys] } or { combine = [keys] }`

/**
 * Makes the key extractor that a setting asks for:
 *
 * | setting | counts by |
 * |---|---|
 * | `"address"` | the client's address by `CF-Connecting-IP`, IPv6 by its /56 network |
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
 * @throws {SettingError} where there is no such key
 */
export function keyExtractor(field: string, setting: unknown): KeyExtractor {
  if (typeof setting === "string") return namedExtractor(field, setting)
  if (typeof setting === "object" && setting !== null) {
    const [[join, keys] = [], ...others] = Object.entries(setting)
    if ((join === "firstOf" || join === "combine") && Array.isArray(keys) && keys.length > 0 && others.length === 0) {
      return JOINS[join](...keys.map((key, index) => keyExtractor(`${field}.${join}[${index}]`, key)))
    }
  }
  throw new SettingError(field, setting, ALLOWED)
}

function namedExtractor(field: string, setting: string): KeyExtractor {
  const colon = setting.indexOf(":")
  const kind = colon < 0 ? setting : setting.slice(0, colon)
  const name = colon < 0 ? null : setting.slice(colon + 1)
  try {
    // An empty name is not refused by every runtime.
    const made = name !== "" && Object.hasOwn(KINDS, kind) ? KINDS[kind]!.make(name) : null
    if (made !== null) return made
  } catch {
    // The name is none that a header or cookie can have.
  }
  throw new SettingError(field, setting, ALLOWED)
}
