const TOKEN = "sluice-token"

/** What a field of a request's head can hold. */
export const PRINTABLE = /^[ -~]*$/

/** The API said no. */
export class ApiProblem extends Error {
  constructor(status, code, message) {
    super(message)
    this.status = status
    /** What the API calls it; `undefined` of an answer that is not of the API, but of a proxy before it. */
    this.code = code
  }
}

// Kept for this tab alone, and never in its address.
export const session = {
  get token() {
    return sessionStorage.getItem(TOKEN)
  },
  set token(token) {
    if (token === null) sessionStorage.removeItem(TOKEN)
    else sessionStorage.setItem(TOKEN, token)
  },
}

/** Asks the API. Keys go in bodies: addresses end up in logs and histories. */
export async function ask(method, path, body) {
  const headers = {}
  if (session.token !== null) headers.Authorization = `Bearer ${session.token}`
  if (body !== undefined) headers["Content-Type"] = "application/json"
  const response = await fetch(path, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    cache: "no-store",
    signal: AbortSignal.timeout(10_000),
  }).catch((error) => {
    // What the browser says of it is neither for readers nor the same in any two browsers.
    throw new Error("The server does not answer.", { cause: error })
  })
  const answer = await response.json().catch(() => undefined)
  if (!response.ok)
    throw new ApiProblem(response.status, answer?.code, answer?.detail ?? answer?.error ?? `status ${response.status}`)
  if (answer === undefined) throw new Error("What answers is not the server: it sends no JSON. Is a proxy before it?")
  return answer
}

export const get = (path) => ask("GET", path)
export const post = (path, body) => ask("POST", path, body)
