/** The Worker with no limiter: what the runtime alone can do. */
export default {
  fetch(): Response {
    return new Response("ok")
  },
} satisfies ExportedHandler
