/** A URL, or `null` where it is none. `URL.parse` is not on Workers with a compatibility date before 2022-10-31. */
export function parseUrl(url: string): URL | null {
  try {
    return new URL(url)
  } catch {
    return null
  }
}
