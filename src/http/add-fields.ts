/** Statuses whose responses have no body, and cannot be made with one. */
const NULL_BODY_STATUSES = [204, 205, 304]

/**
 * Writes fields to a response: in place where its headers can be changed, which keeps the fast paths that runtimes have
 * for the bodies they know, else to a copy that streams the same body. Another limiter's item lists are added to, all
 * else is replaced.
 *
 * Left alone are an upgrade to WebSocket (status 101), which no copy survives, `Response.error()`, which has no
 * headers, and the nothing that a Bun handler returns after an upgrade.
 *
 * @param written the responses that these fields' owner wrote to in place: a handler may return the same body-less
 * response again and again, and nothing of one client's answer may reach the next
 */
export function addFields(
  response: Response,
  fields: Readonly<Record<string, string>>,
  written: WeakSet<Response>,
): Response {
  if (!(response?.status >= 200)) return response
  const isReused = written.has(response)
  if (!isReused) {
    try {
      write(response.headers, fields)
      written.add(response)
      return response
    } catch {
      // The headers of responses from `fetch` and `Response.redirect` are immutable; nothing was written.
    }
  }
  const { status, statusText } = response
  const headers = new Headers(response.headers)
  if (isReused) for (const name of Object.keys(fields)) headers.delete(name)
  write(headers, fields)
  const body = NULL_BODY_STATUSES.includes(status) ? null : response.body
  return new Response(body, { status, statusText, headers })
}

function write(headers: Headers, fields: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (isItemList(value) && isItemList(headers.get(name))) headers.append(name, value)
    else headers.set(name, value)
  }
}

/** Whether a field is a list of String items, as those of draft-11, to which more can be added. */
function isItemList(value: string | null): boolean {
  return value?.startsWith('"') ?? false
}
