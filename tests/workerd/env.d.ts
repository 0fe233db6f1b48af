/** What this folder's wrangler.toml binds, for `cloudflare:workers`. */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("./main.js")
    durableNamespaces: "LimiterObject" | "ClockedLimiterObject" | "RegistryObject" | "EventHubObject"
  }
  interface Env {
    LIMITER: DurableObjectNamespace<import("./main.js").LimiterObject>
    CLOCKED_LIMITER: DurableObjectNamespace<import("./main.js").ClockedLimiterObject>
    REGISTRY: DurableObjectNamespace<import("./main.js").RegistryObject>
    EVENT_HUB: DurableObjectNamespace<import("./main.js").EventHubObject>
  }
}
