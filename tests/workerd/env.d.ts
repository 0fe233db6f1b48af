/** What wrangler.toml binds, for `cloudflare:workers` in these tests. */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("../../worker/index.js")
    durableNamespaces: "LimiterObject"
  }
  interface Env {
    LIMITER: DurableObjectNamespace<import("../../worker/index.js").LimiterObject>
  }
}
