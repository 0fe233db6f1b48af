import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs"
import { arch, cpus, platform, release, totalmem } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { median } from "./statistics.mjs"

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
