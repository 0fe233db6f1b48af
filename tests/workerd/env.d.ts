/** What this folder's wrangler.toml binds, for `cloudflare:workers`. */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("./main.js")
    durableNamespaces: "LimiterObject" | "ClockedLimiterObject"
  }
  interface Env {
    LIMITER: DurableObjectNamespace<import("./main.js").LimiterObject>
    CLOCKED_LIMITER: DurableObjectNamespace<import("./main.js").ClockedLimiterObject>
  }
}
