import type { LimitGauge } from "../../metrics/metrics.js"
import { PrometheusText } from "../../metrics/prometheus-text.js"
import type { Compaction, Finding } from "../../types/storage-report.js"
import { jsonAnswer } from "../answers.js"
import type { ApiContext } from "../api-context.js"
import { finding } from "../fields.js"
import { isoTime } from "../iso-time.js"
import { isFailure } from "../problem-answer.js"
import { defineRoute, jsonOf } from "../route.js"
import { arrayOf, component, flag, nullable, object, optional, text, whole } from "../schema.js"
import { done } from "./done.js"

const count = whole({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export const health = defineRoute({
  method: "GET",
  path: "/v1/health",
  id: "getHealth",
  summary: "Whether it serves, which says nothing of its store.",
  answer: jsonOf(
    component(
      "Health",
      object({
        ok: flag(),
        service: text(),
        version: text(),
        storage: text(),
        started_at: text({ format: "date-time" }),
        now: text({ format: "date-time" }),
      }),
    ),
    "It serves. Whether its store can be written is told by `/v1/doctor`, and of `sluice serve` by the metric `sluice_commit_failures_total`.",
  ),
  handle({ about, storage, startedAtMs, clock }) {
    return jsonAnswer({
      ok: true,
      service: "sluice",
      version: about.version ?? "unknown",
      storage: about.storage ?? (storage === null ? "memory" : "durable"),
      started_at: isoTime(startedAtMs),
      now: isoTime(clock.now()),
    })
  },
})

export const flush = defineRoute({
  method: "POST",
  path: "/v1/log/flush",
  id: "flushLog",
  summary: "Make everything durable that was answered.",
  answer: jsonOf(done, "It is durable, where there is a store."),
  async handle({ storage }) {
    await storage?.flush()
    return jsonAnswer({ ok: true })
  },
})

const IN_MEMORY: Compaction = { records: 0, bytesBefore: null, bytesAfter: null }

export const compact = defineRoute({
  method: "POST",
  path: "/v1/log/compact",
  id: "compactLog",
  summary: "Write a snapshot and drop the part of the log that it stands for.",
  answer: jsonOf(
    component(
      "Compaction",
      object({
        ok: flag(),
        records: count,
        bytes_before: nullable(count),
        bytes_after: nullable(count),
        detail: optional(text({ description: "Why nothing was done, where nothing was." })),
      }),
    ),
    "What it did; no bytes where no log holds all keys.",
  ),
  async handle({ storage }) {
    const done = (await storage?.compact()) ?? { ...IN_MEMORY, detail: "Nothing was done: there is no log." }
    const { records, bytesBefore, bytesAfter, detail } = done
    return jsonAnswer({
      ok: true,
      records,
      bytes_before: bytesBefore,
      bytes_after: bytesAfter,
      ...(detail !== undefined && { detail }),
    })
  },
})

export const verify = defineRoute({
  method: "POST",
  path: "/v1/log/verify",
  id: "verifyLog",
  summary: "Read every record of the log and compare what it adds up to with the live state.",
  answer: jsonOf(
    component("Verification", object({ ok: flag(), segments: count, records: count, problems: arrayOf(text()) })),
    "What it found.",
  ),
  async handle({ storage }) {
    return jsonAnswer((await storage?.verify()) ?? { ok: true, segments: 0, records: 0, problems: [] })
  },
})

export const doctor = defineRoute({
  method: "GET",
  path: "/v1/doctor",
  id: "getDoctor",
  summary: "Whether the store and the runtime are well.",
  answer: jsonOf(component("Diagnosis", object({ ok: flag(), findings: arrayOf(finding) })), "What was looked at."),
  async handle({ storage, limits, clock }) {
    const ofStore = (await storage?.doctor()) ?? [{ name: "store", ok: true, detail: "in memory: nothing survives" }]
    const nowMs = clock.now()
    const findings = [
      ...ofStore,
      { name: "clock", ok: nowMs > 1_700_000_000_000, detail: isoTime(nowMs) },
      await limitsFinding(limits),
    ]
    return jsonAnswer({ ok: findings.every(({ ok }) => ok), findings })
  },
})

async function limitsFinding(limits: ApiContext["limits"]): Promise<Finding> {
  const name = "limits"
  try {
    const known = await limits.limits({ count: 1 })
    return { name, ok: true, detail: known.length > 0 ? "configured" : "none is configured" }
  } catch (error) {
    // A store that cannot be asked is what a doctor is there to tell.
    if (!isFailure(error)) throw error
    return { name, ok: false, detail: (error as Error).message }
  }
}

const keyCount = component("KeyCount", object({ key: text(), count, error: count }))

export const totals = defineRoute({
  method: "GET",
  path: "/v1/totals",
  id: "getTotals",
  summary: "Sums over all limits since the start, and the keys seen most.",
  answer: jsonOf(
    component(
      "Totals",
      object({
        at: text({ format: "date-time" }),
        allowed: count,
        denied: count,
        allowed_cost: count,
        denied_cost: count,
        failures: whole({
          description:
            "Checks that the store did not decide: answered with an error, or by a fail mode. The sum of `sluice_failures_total`.",
          minimum: 0,
          maximum: Number.MAX_SAFE_INTEGER,
        }),
        most_denied: arrayOf(keyCount),
        most_allowed: arrayOf(keyCount),
      }),
    ),
    "Counts of the keys are estimates, too high by at most `error`.",
  ),
  async handle({ collect }) {
    const { metrics, atMs } = await collect()
    const { allowed, denied, allowedCost, deniedCost } = metrics.sums()
    return jsonAnswer({
      at: isoTime(atMs),
      allowed,
      denied,
      allowed_cost: allowedCost,
      denied_cost: deniedCost,
      failures: metrics.failures,
      most_denied: metrics.mostDenied.top(20),
      most_allowed: metrics.mostAllowed.top(20),
    })
  },
})

export const metricsText = defineRoute({
  method: "GET",
  path: "/metrics",
  id: "getMetrics",
  summary: "Everything that is counted, for Prometheus.",
  answer: { contentType: "text/plain", schema: text(), description: "The Prometheus text format." },
  async handle(context) {
    const gauges = (await context.storage?.gauges()) ?? {}
    const { metrics } = await context.collect()
    const limits = await context.limitGauges().catch(noneWhereStoreFails)
    return {
      status: 200,
      headers: { "Content-Type": PrometheusText.contentType, "Cache-Control": "no-store" },
      body: metrics.render(limits, gauges),
    }
  },
})

/** What was counted is told while the store cannot be asked: then somebody wants to know most. */
function noneWhereStoreFails(error: unknown): readonly LimitGauge[] {
  if (isFailure(error)) return []
  throw error
}
