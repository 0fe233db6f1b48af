import { version } from "#version"
import { isTokenText } from "../../src/api/authorize.js"
import { createApi } from "../../src/api/create-api.js"
import { pageProblem } from "../../src/api/page-problem.js"
import { isFailure } from "../../src/api/problem-answer.js"
import type { LimitStorage } from "../../src/api/storage.js"
import { findDeciding, type KnownLimits } from "../../src/api/told-limit.js"
import type { Config } from "../../src/config/config.js"
import { ConfigError } from "../../src/config/config-error.js"
import { configPolicies } from "../../src/config/config-policies.js"
import { type LimitsByConfig, limitsByConfig, requireGroupNames } from "../../src/config/limits-by-config.js"
import { isListed } from "../../src/http/access.js"
import { CLOUDFLARE_ADDRESS } from "../../src/http/keys/client-address.js"
import { cachedFor } from "../../src/lib/cached-for.js"
import type { NamedLimits } from "../../src/limiter/named-limits.js"
import { Metrics } from "../../src/metrics/metrics.js"
import { systemClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { type Finding, WORKER_STORAGE } from "../../src/types/storage-report.js"
import type { LimiterObject } from "../limiter-object.js"
import type { NoteUnits } from "../noting-limiter.js"
import { SettingError } from "../setting-error.js"
import type { Settings } from "../settings.js"
import { EdgeLimits } from "./edge-limits.js"
import { LimitDirectory } from "./limit-directory.js"
import { settingsScope } from "./limit-scope.js"
import { Registry, type RegistryEnv } from "./registry.js"
import { Reporter } from "./reporter.js"

export interface WorkerApiEnv extends Partial<RegistryEnv> {
  readonly LIMITER: DurableObjectNamespace<LimiterObject>
  /** A secret: what requests to the API must bear. */
  readonly SLUICE_TOKEN?: string
  /** Gets a data point of each decision: the limit, the outcome and the reason, the cost and what is left. */
  readonly ANALYTICS?: AnalyticsEngineDataset
  /** The dashboard's files. */
  readonly ASSETS?: Fetcher
}

/** The API of the deployed Worker. */
export interface WorkerApi {
  /** Answers what is the API's or the dashboard's, `null` to everything else. */
  answer(request: Request, url: URL): Promise<Response> | null
  /**
   * Tells of a check that a limit in front of a path decided.
   *
   * @param counted under which name it counts, where that is not the limit's: that of the group whose list decided
   */
  tell(decision: Decision, limit: string, counted?: string): void
  /** Tells of units of a key that such a limit was given back, or charged as a penalty. */
  note(limit: string, ...told: Parameters<NoteUnits>): void
}

const PATHS = /^\/(v1\/|metrics$)/
const PAGES = /^\/dashboard(\/|$)/
const MAX_SERIES = 1_000
const KEEP_COUNTS_MS = 5_000

/**
 * The /v1 API on Durable Objects, `null` where its objects are not bound. Without a token it answers this machine
 * alone: local development.
 *
 * @throws {SettingError} where the token is too short
 */
export function workerApi(env: WorkerApiEnv, settings: Settings): WorkerApi | null {
  const { REGISTRY, EVENT_HUB, LIMITER, SLUICE_TOKEN, ASSETS, ANALYTICS } = env
  const { apiHost, upstream } = settings
  if (REGISTRY === undefined || EVENT_HUB === undefined) return null
  const registry = new Registry({ REGISTRY, EVENT_HUB })
  const directory = new LimitDirectory(registry)
  const reporter = new Reporter(registry, ANALYTICS)
  const { config } = settings
  const ofSettings =
    config === null ? new Map(settings.limits.map(({ name, policy }) => [name, policy])) : configPolicies(config)
  const givenNames = new Set([...ofSettings.keys(), ...(config?.groups.keys() ?? [])])
  const limits = new EdgeLimits({ limiter: LIMITER, registry, directory, reporter, ofSettings })
  const api = createApi({
    limits:
      config === null
        ? limits
        : tellListed({ limits: limitsByConfig(limits, config), givenNames }, config, {
            reporter,
            scopeOf: (name) => limits.scopeOf(name),
          }),
    token: readToken(SLUICE_TOKEN),
    storage: storageOf(limits, reporter, config),
    about: { version, storage: WORKER_STORAGE },
    // The limits tell of their decisions themselves.
    onDecision: null,
    onFailure: (checks) => reporter.failed(checks),
    givenNames,
    limitsAsked: (name) => config?.groups.get(name)?.limits.length ?? 1,
    fixedNames: new Set(ofSettings.keys()),
    collect: () => collect(registry, reporter),
    // Each count asks all shards, so that a scraper must not have one made for each of its requests.
    keepCountsMs: KEEP_COUNTS_MS,
    eventSource(request) {
      const lastEventId = request.header("last-event-id")
      const headers = lastEventId === null ? {} : { "Last-Event-ID": lastEventId }
      return registry.hub.fetch(`http://hub/v1/events?${request.query}`, { headers })
    },
  })
  return {
    answer(request, { hostname, pathname }) {
      if (apiHost === null ? upstream !== null : hostname !== apiHost) return null
      if (PATHS.test(pathname)) return api.fetch(request, request.headers.get(CLOUDFLARE_ADDRESS))
      return ASSETS !== undefined && PAGES.test(pathname) ? pageOf(ASSETS, request) : null
    },
    tell: (decision, limit, counted = limit) =>
      reporter.decided(decision, { name: counted, label: counted }, settingsScope(limit)),
    note: (limit, event, key, units) => reporter.noted(event, settingsScope(limit), key, units),
  }
}

/** What the platform says of a page that there is not has no body, or is a page of its own. */
async function pageOf(assets: Fetcher, request: Request): Promise<Response> {
  const { method } = request
  if (method === "GET" || method === "HEAD") {
    const page = await assets.fetch(request)
    if (page.status !== 404) return page
    await page.body?.cancel()
  }
  const { status, headers, body } = pageProblem(method)
  return new Response(method === "HEAD" ? null : (body as string), { status, headers })
}

/** @throws {SettingError} that does not show it */
function readToken(token: string | undefined): string | null {
  if (token === undefined || token === "") return null
  if (isTokenText(token)) return token
  throw new SettingError("SLUICE_TOKEN", "secret", "16 or more characters of printable ASCII without space")
}

/** Each key's object keeps its own log and compacts it by itself, so there is nothing to do for all together. */
const NOTHING_TO_COMPACT = {
  records: 0,
  bytesBefore: null,
  bytesAfter: null,
  detail: "Nothing was done: each key's object compacts its own log by itself.",
} as const

function storageOf(limits: EdgeLimits, reporter: Reporter, config: Config | null): LimitStorage {
  return {
    flush: () => reporter.flush(),
    compact: () => NOTHING_TO_COMPACT,
    verify: () => limits.verify(),
    doctor: cachedFor(() => diagnose(limits, config), KEEP_COUNTS_MS, systemClock),
    gauges: () => ({}),
  }
}

async function diagnose(limits: EdgeLimits, config: Config | null): Promise<Finding[]> {
  const name = "store"
  try {
    const { ok, records, problems } = await limits.verify()
    const detail = ok ? `${records} records of the keys used last give their states` : problems.join(" ")
    return [{ name, ok, detail }, ...(await nameFindings(limits, config))]
  } catch (error) {
    // A registry that cannot be asked is what a doctor is there to tell.
    if (!isFailure(error)) throw error
    return [{ name, ok: false, detail: (error as Error).message }]
  }
}

/** A check asks the group, and every other verb a limit of the same name that was defined through the API before. */
async function nameFindings(limits: EdgeLimits, config: Config | null): Promise<Finding[]> {
  if (config === null) return []
  try {
    await requireGroupNames(limits, config)
    return [{ name: "groups", ok: true, detail: "No group has the name of a limit" }]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [{ name: "groups", ok: false, detail: error.message }]
  }
}

/** Tells of what the configuration's lists decide: no limit is asked of it, and the others tell by themselves. */
function tellListed(
  known: KnownLimits & { limits: LimitsByConfig },
  { groups }: Config,
  { reporter, scopeOf }: { readonly reporter: Reporter; readonly scopeOf: (limit: string) => Promise<string> },
): NamedLimits {
  const { limits } = known
  async function tell(decision: Decision, asked: string | undefined): Promise<void> {
    if (!isListed(decision)) return
    const told = await findDeciding(known, decision.key, asked)
    // Keys are filed under limits: under the first of a group, as in front of a path.
    reporter.decided(decision, told, await scopeOf(groups.get(told.name)?.limits[0]?.name ?? told.name))
  }
  return {
    ...limits,
    async check(key, options) {
      const decision = await limits.check(key, options)
      await tell(decision, options?.limit)
      return decision
    },
    async checkAll(items, options) {
      const all = await limits.checkAll(items, options)
      for (const [index, decision] of all.decisions.entries()) {
        if (all.allowed || !decision.allowed) await tell(decision, items[index]!.limit)
      }
      return all
    },
  }
}

/** What all isolates counted. */
async function collect(registry: Registry, reporter: Reporter): Promise<Metrics> {
  await reporter.tryFlush()
  const totals = await registry.fromLimits((shard) => shard.totals(MAX_SERIES))
  const seen = await registry.fromKeys((shard) => shard.mostSeen(20))
  const metrics = new Metrics({ counts: "edge" })
  for (const { limits, aside, times } of totals) {
    if (times) metrics.decisionSeconds.add(times)
    for (const { limit, ...counts } of limits) metrics.add(limit, counts)
    for (const { what, count } of aside) metrics.addAside(what, count)
  }
  for (const { denied, allowed } of seen) {
    for (const { key, stats } of denied) metrics.mostDenied.add(key, stats.totalDenied)
    for (const { key, stats } of allowed) metrics.mostAllowed.add(key, stats.totalAllowed)
  }
  return metrics
}
