/** The proxy under test: the test puts it where the app, which runs in its process, finds it. */
export const proxy = (request, event) => globalThis.sluiceNext.proxy(request, event)
export const config = { matcher: "/:path*" }
