import { RequestError } from "./request-error.js"
import type { Route } from "./route.js"

/** Which route a request is for, and the key in its path. */
export interface Match {
  readonly route: Route
  readonly key: string
}

const KEY = "{key}"

/** Finds routes by their path: a table for whole paths, another for those that end in a key. */
export class Router {
  readonly #exact = new Map<string, Map<string, Route>>()
  readonly #withKey = new Map<string, Map<string, Route>>()

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const hasKey = route.path.endsWith(KEY)
      const table = hasKey ? this.#withKey : this.#exact
      const path = hasKey ? route.path.slice(0, -KEY.length) : route.path
      const methods = table.get(path) ?? new Map<string, Route>()
      methods.set(route.method, route)
      table.set(path, methods)
    }
  }

  /** The path of the endpoint that a path leads to, `{key}` in place of a key; `null` where it leads to none. */
  endpointOf(path: string): string | null {
    if (this.#exact.has(path)) return path
    const prefix = path.slice(0, path.lastIndexOf("/") + 1)
    return this.#withKey.has(prefix) ? prefix + KEY : null
  }

  /**
   * A HEAD is for what a GET is for (RFC 9110, section 9.3.2); who serves the answer leaves its body out.
   *
   * @throws {RequestError} 404 where the path is none, 405 where it has no such method, 400 where its key cannot be
   */
  find(method: string, path: string): Match {
    let methods = this.#exact.get(path)
    let key = ""
    if (methods === undefined) {
      const end = path.lastIndexOf("/") + 1
      methods = this.#withKey.get(path.slice(0, end))
      if (methods === undefined || end === path.length) throw noEndpoint()
      key = decodeKey(path.slice(end))
      // A URL has no such segment, however it is spelled: whoever parses the path as one never gets here.
      if (key === "." || key === "..") throw noEndpoint()
    }
    const route = methods.get(method === "HEAD" ? "GET" : method)
    if (route === undefined) {
      const allowed = [...methods.keys()].flatMap((each) => (each === "GET" ? ["GET", "HEAD"] : each)).join(", ")
      throw new RequestError(405, `Cannot serve the request: allowed here is ${allowed}.`, { Allow: allowed })
    }
    return { route, key }
  }
}

function noEndpoint(): RequestError {
  return new RequestError(404, "Cannot serve the request: there is no such endpoint.")
}

function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw new RequestError(400, "Cannot read the request: the key in the path is no percent-encoded UTF-8.")
  }
}
