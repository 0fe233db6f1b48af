import { ratioByRound, summarize } from "../lib/statistics.mjs"
import { CONTENDER_OF_VERB } from "./contenders.mjs"
import { GOVERNOR, GROUPS, LATENCY_PHASE, LIMITS, RATIO_GOALS } from "./workloads.mjs"

const over = (samples, read) => summarize(samples.map(read))

function speedOf({ samples, latencyNs }, contenders) {
  const times = new Map() // by phase, then by contender: ns by round
  for (const { phase } of samples) times.set(phase, new Map())
  for (const { contender, phase, nsPerCheck } of samples) {
    const own = times.get(phase)
    own.set(contender, [...(own.get(contender) ?? []), nsPerCheck])
  }
  const kindOf = new Map(contenders.map(({ name, kind }) => [name, kind]))
  const phases = GROUPS.flatMap((group) => group.phases)
    .filter(({ name }) => times.has(name))
    .map(({ name, label }) => {
      const byContender = [...times.get(name)].map(([contender, ns]) => ({ contender, ...summarize(ns) }))
      const peers = byContender.filter(({ contender }) => kindOf.get(contender) === "peer")
      const fastest = peers.toSorted((a, b) => a.median - b.median)[0]?.contender ?? null
      return { phase: name, label, ns: byContender, fastestPeer: fastest }
    })
  const ratios = phases.flatMap(({ phase, label, fastestPeer }) =>
    Object.entries(CONTENDER_OF_VERB).flatMap(([verb, contender]) => {
      const own = times.get(phase).get(contender)
      if (own === undefined || fastestPeer === null) return []
      const goal = RATIO_GOALS.find((one) => one.phase === phase)?.[verb] ?? null
      const ratio = summarize(ratioByRound(times.get(phase).get(fastestPeer), own))
      return { phase, label, verb, fastestPeer, ...ratio, goal, met: goal === null ? null : ratio.median >= goal }
    }),
  )
  const check = times.get(LATENCY_PHASE)?.get(CONTENDER_OF_VERB.check)
  return {
    phases,
    ratios,
    latencyNs: summarize(latencyNs),
    accesses: check === undefined ? null : summarize(ratioByRound(check, latencyNs)),
    governor:
      check === undefined
        ? null
        : summarize(latencyNs.map((ns, round) => (GOVERNOR.checkNs * ns) / GOVERNOR.memoryLatencyNs / check[round])),
  }
}

const memoryOf = (samples, contenders) =>
  contenders.flatMap(({ name }) => {
    const own = samples.filter(({ contender }) => contender === name)
    if (own.length === 0) return []
    return {
      contender: name,
      heapBytesPerKey: over(own, (sample) => sample.heapBytesPerKey),
      rssBytesPerKey: over(own, (sample) => sample.rssBytesPerKey),
    }
  })

function growthOf(samples) {
  const fields = Object.keys(samples[0].checked).filter((field) => field !== "slowest")
  const both = (side) => Object.fromEntries(fields.map((field) => [field, over(samples, (one) => one[side][field])]))
  return { checked: both("checked"), without: both("without") }
}

const startUpOf = (samples) =>
  Object.fromEntries(Object.keys(samples[0]).map((field) => [field, over(samples, (one) => one[field])]))

/** Limits that are not ratios: what they are about, the figure, whether it is within. */
function limitsOf({ speed, memory, growth, startUp }) {
  const found = []
  const add = (what, figure, limit, unit) => found.push({ what, figure, limit, unit, met: figure <= limit })
  const own = memory?.find(({ contender }) => contender === CONTENDER_OF_VERB.check)
  if (own !== undefined) add("RSS a key at 1M", own.rssBytesPerKey.median, LIMITS.rssBytesPerKey, "bytes")
  if (speed?.accesses) add("check at 1M, memory latencies", speed.accesses.median, LIMITS.memoryLatencies, "")
  if (growth !== null)
    add("worst own time of a check, growing", growth.checked.worstOwnMs.maximum, LIMITS.growthMs, "ms")
  if (startUp !== null) {
    add("module", startUp.moduleBytes.median, LIMITS.moduleBytes, "bytes")
    add("instantiation", startUp.instantiateMs.median, LIMITS.instantiateMs, "ms")
  }
  return found
}

/** Medians, ranges, ratios and verdicts of a run; `null` for parts that were not measured. */
export function summarizeRun(samples, contenders) {
  const parts = {
    speed: samples.speed === null || samples.speed.samples.length === 0 ? null : speedOf(samples.speed, contenders),
    memory: samples.memory === null ? null : memoryOf(samples.memory, contenders),
    growth: samples.growth === null ? null : growthOf(samples.growth),
    startUp: samples.startUp === null ? null : startUpOf(samples.startUp),
  }
  return { ...parts, limits: limitsOf(parts) }
}
