import type { EmbeddedLimiter } from "../embedded/embedded-limiter.js"
import type { StoreGauges } from "../metrics/metrics.js"
import type { LimitStorage } from "./storage.js"

/** Does once at a time what takes long: who asks meanwhile is told the same. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let making: Promise<T> | null = null
  return () => {
    making ??= make().finally(() => {
      making = null
    })
    return making
  }
}

/**
 * The store of an embedded limiter, as the API tells it.
 *
 * @param bytesOnDisk how large its files are; `undefined` where that cannot be told
 */
export function embeddedStorage(limiter: EmbeddedLimiter, bytesOnDisk: () => number | undefined): LimitStorage {
  return {
    flush: () => limiter.flush(),
    compact: () => limiter.compact(),
    // Both read the whole log, and one comes after the other.
    verify: shared(async () => {
      // What it cannot read it throws: a 500 that names the row.
      const { segments, records, replayEqualsLive } = await limiter.verify()
      const problems = replayEqualsLive ? [] : ["Replaying the log does not give the live state."]
      return { ok: replayEqualsLive, segments, records, problems }
    }),
    doctor: shared(async () => {
      const report = await limiter.doctor()
      return [
        {
          name: "store",
          ok: report.ok,
          detail: report.problems.join(" ") || `${countOf(report.keys, "key")}, sync ${report.sync}`,
        },
        {
          name: "file",
          ok: report.fileIsSound,
          detail: report.fileIsSound ? "SQLite finds it sound" : "not sound, or gone, as is told of the store",
        },
        {
          name: "log",
          ok: report.replayEqualsLive,
          detail:
            report.rows === 0
              ? "not read, for what is told of the store"
              : `${countOf(report.records, "record")}, ${countOf(report.bytes, "byte")}, format ${report.format}; replay ${report.replayEqualsLive ? "equals" : "differs from"} the live state`,
        },
      ]
    }),
    gauges(): StoreGauges {
      const { keyCount } = limiter
      const logBytes = bytesOnDisk()
      return { ...(logBytes !== undefined && { logBytes }), ...(keyCount !== null && { liveKeys: keyCount }) }
    },
  }
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
