import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs"
import { arch, cpus, platform, release, totalmem } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { setImmediate as nextTurn } from "node:timers/promises"
import { median, percentile } from "./statistics.mjs"

/** What a reader must know of the machine to place a figure. */
export function describeMachine() {
  const processors = cpus()
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
  }
}

const SYNC_SAMPLES = 200
const PAGE = Buffer.alloc(4096, 1)

/**
 * What one commit costs at least on the disk of `folder`: the median time, in milliseconds, of appending 4 KiB and
 * an fdatasync. Near zero says that the folder is in memory, where durable figures mean nothing.
 */
export function measureSyncMs(folder) {
  const path = join(folder, "sync-probe")
  const file = openSync(path, "w")
  try {
    const timesMs = Array.from({ length: SYNC_SAMPLES }, () => {
      const start = performance.now()
      writeSync(file, PAGE)
      fdatasyncSync(file)
      return performance.now() - start
    })
    return median(timesMs)
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

const PACED_PAGES = 256
const PACE_MS = 1

/**
 * What the disk of `folder` lets the best of servers reach that is asked by the clock, and told what is durable: each
 * millisecond a commit is asked for; all that are due share one page that is written over and synced; and the time of
 * each counts from when it was due. So a disk that stalls for 50 ms once a second shows, which the syncs' own times
 * hide.
 *
 * @returns {Promise<{ requestsPerSecond: number, p50Ms: number, p99Ms: number }>}
 */
export async function measurePacedSyncs(folder, measureMs) {
  const path = join(folder, "paced-sync-probe")
  const file = openSync(path, "w")
  try {
    for (let page = 0; page < PACED_PAGES; page++) writeSync(file, PAGE)
    fdatasyncSync(file)
    const timesMs = []
    const begun = performance.now()
    for (let syncs = 0; timesMs.length < measureMs / PACE_MS; syncs++) {
      const firstDue = begun + timesMs.length * PACE_MS
      while (performance.now() < firstDue) await nextTurn()
      const lastDue = performance.now()
      writeSync(file, PAGE, 0, PAGE.length, (syncs % PACED_PAGES) * PAGE.length)
      fdatasyncSync(file)
      const end = performance.now()
      for (let due = firstDue; due <= lastDue; due += PACE_MS) timesMs.push(end - due)
    }
    const requestsPerSecond = (timesMs.length * 1000) / (performance.now() - begun)
    timesMs.sort((a, b) => a - b)
    return { requestsPerSecond, p50Ms: percentile(timesMs, 0.5), p99Ms: percentile(timesMs, 0.99) }
  } finally {
    closeSync(file)
    rmSync(path)
  }
}
