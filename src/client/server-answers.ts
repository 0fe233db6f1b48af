import type { Compaction, Diagnosis, Finding, LogCheck } from "../types/storage-report.js"
import { complete, text } from "./complete.js"

/** What a server tells of itself. */
export interface ServerHealth {
  readonly ok: boolean
  readonly version: string
  /** Where its limits are kept, for people. */
  readonly storage: string
  readonly startedAtMs: number
  /** The server's time. */
  readonly nowMs: number
}

/** How often a key was seen: an estimate, too high by at most `error`. */
export interface KeyCount {
  readonly key: string
  readonly count: number
  readonly error: number
}

/** What a server adds up over all its limits since it started. */
export interface ServerTotals {
  /** The server's time. */
  readonly atMs: number
  readonly allowed: number
  readonly denied: number
  readonly allowedCost: number
  readonly deniedCost: number
  /** Checks that the store did not decide: they failed, or a fail mode decided them. */
  readonly failures: number
  readonly mostDenied: readonly KeyCount[]
  readonly mostAllowed: readonly KeyCount[]
}

export interface HealthJson {
  readonly ok: boolean
  readonly version: string
  readonly storage: string
  readonly started_at: string
  readonly now: string
}

export interface TotalsJson {
  readonly at: string
  readonly allowed: number
  readonly denied: number
  readonly allowed_cost: number
  readonly denied_cost: number
  readonly failures: number
  readonly most_denied: readonly KeyCount[]
  readonly most_allowed: readonly KeyCount[]
}

export interface CompactionJson {
  readonly records: number
  readonly bytes_before: number | null
  readonly bytes_after: number | null
  readonly detail?: string
}

export function readHealth({ ok, version, storage, started_at, now }: HealthJson): ServerHealth {
  // A server need not tell what it is.
  return { version, storage, ...complete({ ok, startedAtMs: Date.parse(started_at), nowMs: Date.parse(now) }) }
}

export function readTotals(json: TotalsJson): ServerTotals {
  return complete(
    {
      atMs: Date.parse(json.at),
      allowed: json.allowed,
      denied: json.denied,
      allowedCost: json.allowed_cost,
      deniedCost: json.denied_cost,
      failures: json.failures,
      mostDenied: json.most_denied.map(readKeyCount),
      mostAllowed: json.most_allowed.map(readKeyCount),
    },
    ["allowed", "denied", "allowedCost", "deniedCost", "failures"],
  )
}

function readKeyCount({ key, count, error }: KeyCount): KeyCount {
  return complete({ key, count, error }, ["count", "error"])
}

export function readCompaction({ records, bytes_before, bytes_after, detail }: CompactionJson): Compaction {
  const done = complete({ records, bytesBefore: bytes_before, bytesAfter: bytes_after }, [
    "records",
    "bytesBefore",
    "bytesAfter",
  ])
  return { ...done, ...(detail !== undefined && { detail }) }
}

export function readLogCheck({ ok, segments, records, problems }: LogCheck): LogCheck {
  return complete({ ok, segments, records, problems: problems.map(text) }, ["segments", "records"])
}

function readFinding({ name, ok, detail }: Finding): Finding {
  return complete({ name: text(name), ok, detail: text(detail) })
}

export function readDiagnosis({ ok, findings }: Diagnosis): Diagnosis {
  return complete({ ok, findings: findings.map(readFinding) })
}
