import { performance } from "node:perf_hooks"

/**
 * Starts a stopwatch. Beside the time on the wall it tells the CPU time of the whole process, helper threads for
 * garbage collection and compilation included: on a process pinned to one core the two agree, but for what other
 * programs take of that core.
 *
 * @returns {() => { wallMs: number, cpuMs: number }} reads it
 */
export function startStopwatch() {
  const start = performance.now()
  const used = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(used)
    return { wallMs: performance.now() - start, cpuMs: (user + system) / 1000 }
  }
}
