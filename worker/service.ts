import { isListed } from "../src/http/access.js"
import { problemResponse } from "../src/http/problem.js"
import type { RequestDecision } from "../src/http/request-decision.js"
import type { Decision } from "../src/types/decision.js"
import type { WorkerApi, WorkerApiEnv } from "./api/worker-api.js"
import { echo } from "./echo.js"
import { wasLookedAt } from "./edge-group.js"
import type { GroupSetting, LimitSetting } from "./limit-setting.js"
import { leadsUpHidden } from "./prefix-map.js"
import { proxyTo } from "./proxy-to.js"
import { rateLimitForApi } from "./rate-limit.js"
import type { Settings, SettingVariables } from "./settings.js"

const AMBIGUOUS = {
  type: "about:blank",
  title: "Bad Request",
  status: 400,
  detail: "The path has a hidden .. segment, allowed are plain ones.",
  code: "REQUEST_INVALID",
}

/** What `wrangler.toml` binds. */
export interface ServiceEnv extends SettingVariables, WorkerApiEnv {}

/** A `fetch` handler of a Worker. */
export type Service = (request: Request, env: ServiceEnv, context: ExecutionContext) => Promise<Response>

/**
 * The deployed Worker under its settings: each path behind the limit that protects it, then the upstream or the echo. A
 * path that none protects is not limited. One that servers may take for different paths is refused.
 *
 * @param api answers its own paths, and is told of every decision
 */
export function makeService(
  { limits, groups, limitByPath, upstream }: Settings,
  api: WorkerApi | null = null,
): Service {
  const decisions = new WeakMap<Request, Decision>()

  function answerFor(limitName: string | null): (request: Request) => Response | Promise<Response> {
    if (upstream !== null) return proxyTo(upstream)
    return (request) => echo(request, limitName, decisions.get(request))
  }

  function protect({ name, policy, key, failMode, timeoutMs, options = {} }: LimitSetting): Service {
    const { onDecision, onError } = options
    return rateLimitForApi<ServiceEnv>(
      answerFor(name),
      {
        ...options,
        name,
        policy,
        key,
        failMode,
        timeoutMs,
        onDecision(decision, request) {
          decisions.set(request, decision)
          api?.tell(decision, name)
          return onDecision?.(decision, request)
        },
        onError: (error, request) =>
          onError ? onError(error, request) : console.error(`The limit "${name}" did not decide:`, error),
      },
      { note: (_limit, ...told) => api?.note(name, ...told) },
    )
  }

  function protectTogether({ name, limitNames, options }: GroupSetting): Service {
    const { onDecision, onError } = options
    function tellEach(decision: RequestDecision): void {
      // Where one denied, what the others would have admitted was not charged, and some were only looked at.
      for (const [index, each] of (decision.limits ?? [decision]).entries()) {
        if (decision.allowed || !(each.allowed || wasLookedAt(each))) api?.tell(each, limitNames[index]!)
      }
    }
    return rateLimitForApi<ServiceEnv>(
      answerFor(name),
      {
        ...options,
        onDecision(decision, request) {
          decisions.set(request, decision)
          if (isListed(decision)) api?.tell(decision, limitNames[0]!, name)
          else tellEach(decision)
          return onDecision?.(decision, request)
        },
        onError: (error, request) =>
          onError ? onError(error, request) : console.error(`The group "${name}" did not decide:`, error),
      },
      // Its keys are the same whoever asks it.
      { nameOf: (limit) => limit, note: (limit, ...told) => api?.note(limit!, ...told) },
    )
  }

  const services = new Map<LimitSetting | GroupSetting, Service>([
    ...limits.map((limit) => [limit, protect(limit)] as const),
    ...groups.map((group) => [group, protectTogether(group)] as const),
  ])
  const unlimited = answerFor(null)
  return async function service(request, env, context) {
    const url = new URL(request.url)
    const answer = api?.answer(request, url)
    if (answer) return answer
    if (leadsUpHidden(url.pathname)) return problemResponse(AMBIGUOUS)
    const limit = limitByPath.find(url.pathname)
    return limit === undefined ? unlimited(request) : services.get(limit)!(request, env, context)
  }
}
