/**
 * The deployable Worker: limits in front of an upstream, configured by the variables in `wrangler.toml`. See
 * `readSettings` for what they may be.
 *
 * @module
 */
import { problemResponse } from "../src/http/problem.js"
import { workerApi } from "./api/worker-api.js"
import { makeService, type Service, type ServiceEnv } from "./service.js"
import { SettingError } from "./setting-error.js"
import { readSettings } from "./settings.js"

export { EventHubObject } from "./api/event-hub-object.js"
export { RegistryObject } from "./api/registry-object.js"
export { LimiterObject } from "./limiter-object.js"

/** Settings are read once for each environment that the isolate serves. */
const services = new WeakMap<ServiceEnv, Service>()

export default {
  async fetch(request, env, context): Promise<Response> {
    let service = services.get(env)
    if (service === undefined) {
      service = serviceOf(env)
      services.set(env, service)
    }
    return service(request, env, context)
  },
} satisfies ExportedHandler<ServiceEnv>

/** Where the settings cannot be, every request is refused: it is not known which ones would have to be limited. */
function serviceOf(env: ServiceEnv): Service {
  try {
    const settings = readSettings(env)
    return makeService(settings, workerApi(env, settings))
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    console.error(error.message)
    return async () =>
      problemResponse({
        type: "about:blank",
        title: "Internal Server Error",
        status: 500,
        detail: "The settings of this Worker are not valid; its log says which.",
        code: "SETTING_INVALID",
      })
  }
}
