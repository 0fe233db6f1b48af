/** The key that a benchmark request asks about: what stands behind the `?`. The same work for every contender. */
export function keyOf(request: Request): string {
  return request.url.slice(request.url.indexOf("?") + 1)
}
