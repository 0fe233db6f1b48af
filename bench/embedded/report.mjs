import { median, ratioByRound, summarize as spread } from "../lib/statistics.mjs"
import { digits, table, whole } from "../lib/table.mjs"
import { BATCH_GOAL, CELLS, COMPACTION_GOALS, LIFE_GOALS, RATIOS } from "./workloads.mjs"

/** Medians and ranges over the rounds, and ratios taken round by round. */
export function summarize({ speed, life, compaction }) {
  const samplesOf = (contender, callers) =>
    speed.filter((sample) => sample.contender === contender && sample.callers === callers)
  const rates = CELLS.flatMap(({ contender, callers }) => {
    const samples = samplesOf(contender, callers)
    if (samples.length === 0) return []
    return {
      contender,
      callers,
      rate: spread(samples.map(({ checksPerSecond }) => checksPerSecond)),
      p50Ms: median(samples.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(samples.map(({ p99Ms }) => p99Ms)),
    }
  })
  const ratios = RATIOS.flatMap(({ of, to, callers, goal }) => {
    const [own, other] = [of, to].map((name) => samplesOf(name, callers).map(({ checksPerSecond }) => checksPerSecond))
    if (own.length === 0 || other.length === 0) return []
    return { of, to, callers, goal, ...spread(ratioByRound(own, other)) }
  })
  const lives = LIFE_GOALS.flatMap(({ records, field, text, atMost }) => {
    const values = life.filter((sample) => sample.records === records).map((sample) => sample[field])
    return values.length === 0 ? [] : { text, atMost, ...spread(values) }
  })
  const compactions = COMPACTION_GOALS.flatMap(({ field, text, atMost }) => {
    const values = compaction.map((sample) => sample[field])
    return values.length === 0 ? [] : { text, atMost, ...spread(values) }
  })
  return { rates, ratios, lives: [...lives, ...compactions] }
}

export function reportText({ machine, peers, redisVersion, rounds, rates, ratios, lives }) {
  const { cpu, cores, memoryGiB, system, node, syncMs } = machine
  const lines = [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}; a page and its sync take ${digits(syncMs)} ms`,
    `rate-limiter-flexible ${peers["rate-limiter-flexible"]}, ${redisVersion === null ? "no Redis here" : `Redis ${redisVersion}`}`,
    `medians of ${rounds} rounds, ranges in brackets; 1,000 keys`,
    "",
  ]
  if (rates.length > 0) {
    const rows = rates.map(({ contender, callers, rate, p50Ms, p99Ms }) => [
      contender,
      whole(callers),
      whole(rate.median),
      `[${whole(rate.minimum)} … ${whole(rate.maximum)}]`,
      digits(p50Ms),
      digits(p99Ms),
    ])
    lines.push(table(["", "callers", "checks/s", "", "p50 ms", "p99 ms"], rows), "")
    const judged = ratios.map(({ of, to, callers, goal, median: middle, minimum, maximum }) => [
      `${of} / ${to}`,
      whole(callers),
      digits(middle),
      `[${digits(minimum)} … ${digits(maximum)}]`,
      `≥ ${goal}`,
      middle >= goal ? "reached" : "missed",
    ])
    const batch = rates.find(({ contender, callers }) => contender === "sluice-batch" && callers === 64)
    if (batch !== undefined) {
      const { median: middle, minimum, maximum } = batch.rate
      const range = `[${whole(minimum)} … ${whole(maximum)}]`
      const verdict = middle >= BATCH_GOAL ? "reached" : "missed"
      judged.push(["sluice-batch, checks/s", "64", whole(middle), range, `≥ ${whole(BATCH_GOAL)}`, verdict])
    }
    lines.push(table(["ratio, round by round", "callers", "median", "", "goal", ""], judged), "")
  }
  if (lives.length > 0) {
    const rows = lives.map(({ text, atMost, median: middle, minimum, maximum }) => [
      text,
      digits(middle),
      `[${digits(minimum)} … ${digits(maximum)}]`,
      atMost === null ? "" : `≤ ${atMost}`,
      atMost === null ? "" : middle <= atMost ? "reached" : "missed",
    ])
    lines.push(table(["a store's life", "median", "", "goal", ""], rows))
  }
  return lines.join("\n")
}
