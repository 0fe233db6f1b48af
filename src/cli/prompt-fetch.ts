import { StoreUnavailable } from "../types/errors.js"

/**
 * A `fetch` that gives up where no answer begins in time, however long one that begins may go on.
 *
 * @throws {StoreUnavailable} from that `fetch`, where none began
 */
export function promptFetch(beginMs: number): (url: string, init: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort(new StoreUnavailable(`the server ${new URL(url).origin} did not answer within ${beginMs} ms`))
    }, beginMs)
    try {
      return await fetch(url, {
        ...init,
        signal: AbortSignal.any([late.signal, ...(init.signal ? [init.signal] : [])]),
      })
    } finally {
      clearTimeout(timer)
    }
  }
}
