import { mergeFields } from "./merge-fields.js"

/** What to write to a response, by field name. */
export interface FieldsToAdd {
  /** Merged with those that another limiter may have written. */
  readonly fields: Readonly<Record<string, string>>
  /** Written where the response does not have them. */
  readonly defaults: Readonly<Record<string, string>>
}

/**
 * Writes fields to a response: in place where its headers can be changed, which keeps the fast paths that runtimes have
 * for the bodies they know, else to a copy that streams the same body.
 *
 * Left alone are an upgrade to WebSocket (status 101), which no copy survives, `Response.error()`, which has no
 * headers, and the nothing that a Bun handler returns after an upgrade.
 *
 * @param originals the headers that responses had before they were written to in place. A handler may return the same
 * body-less response again and again, and nothing of one client's answer may reach the next.
 */
export function addFields(response: Response, add: FieldsToAdd, originals: WeakMap<Response, Headers>): Response {
  if (!(response?.status >= 200)) return response
  const original = originals.get(response)
  if (original === undefined && Object.keys(add.fields).length + Object.keys(add.defaults).length === 0) return response
  const headers = new Headers(original ?? response.headers)
  if (original === undefined) {
    try {
      write(response.headers, add)
      originals.set(response, headers)
      return response
    } catch {
      // The headers of responses from `fetch` and `Response.redirect` are immutable; nothing was written.
    }
  }
  write(headers, add)
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers })
}

function write(headers: Headers, { fields, defaults }: FieldsToAdd): void {
  const merged = mergeFields(fields, (name) => headers.get(name))
  for (const [name, value] of Object.entries(merged)) headers.set(name, value)
  for (const [name, value] of Object.entries(defaults)) {
    if (!headers.has(name)) headers.set(name, value)
  }
}
