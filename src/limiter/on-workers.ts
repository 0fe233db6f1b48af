/**
 * Whether this is Cloudflare's runtime. There a timer ends with the request that set it, so nobody can wait on the
 * timer of another request, nor for the turn of one that may have ended.
 */
export function isOnWorkers(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers"
}
