import { runProgram } from "./run-program.mjs"
import { GROWTH_KEYS, MEMORY_KEYS, PERIOD_MS, PROBE_POLICY } from "./workloads.mjs"

/**
 * @typedef {object} Setting
 * @property {readonly import("./contenders.mjs").Contender[]} contenders those that can run
 * @property {readonly import("./workloads.mjs").Group[]} groups
 * @property {string} fresh how fresh strings are made: a name of `STRINGS`
 * @property {Record<string, string>} files the keys and the draws
 * @property {{ index: string, wasm: string } | null} build where sluice is
 * @property {string | null} core to run on
 * @property {number} rounds
 * @property {number} probeRounds rounds of what varies little: memory and growth
 * @property {number} warmUpMs
 * @property {number} measureMs
 */

/**
 * Which time counts: pinned, the CPU time, which leaves out what other programs took of the core; else that on the
 * wall, since helper threads then run beside the loop and keep no caller waiting.
 */
const nsOf = ({ wallNs, cpuNs }, core) => (core === null ? wallNs : cpuNs)

const progress = (text) => console.error(text)

/**
 * ns a check of every contender in every phase, and the memory's latency, round by round.
 *
 * @param {Setting} setting
 */
export async function measureSpeed({ contenders, groups, fresh, files, build, core, rounds, warmUpMs, measureMs }) {
  const samples = []
  const latencyNs = []
  for (let round = 1; round <= rounds; round++) {
    for (const group of groups) {
      // Contenders that are compared stand next to each other in time: A B C on one workload, then on the next.
      for (const { name, cannot } of contenders) {
        if (cannot(group) !== null) continue
        const plan = { contender: name, group: { ...group, periodMs: PERIOD_MS }, fresh, files, warmUpMs, measureMs }
        const { phases } = await runProgram("speed", plan, { core, build })
        for (const [phase, times] of Object.entries(phases)) {
          samples.push({ round, contender: name, phase, nsPerCheck: nsOf(times, core), ...times })
        }
        const told = Object.values(phases).map((times) => Math.round(nsOf(times, core)))
        progress(`round ${round}/${rounds}  ${group.name}  ${name}: ${told.join(", ")} ns`)
      }
    }
    latencyNs.push(nsOf(await runProgram("latency", {}, { core }), core))
    progress(`round ${round}/${rounds}  memory latency: ${Math.round(latencyNs.at(-1))} ns`)
  }
  return { samples, latencyNs }
}

/** Bytes a key of every contender that keeps state of its own. @param {Setting} setting */
export async function measureMemory({ contenders, files, build, core, probeRounds }) {
  const samples = []
  for (let round = 1; round <= probeRounds; round++) {
    for (const { name, remembers } of contenders) {
      if (!remembers) continue
      const plan = { contender: name, keys: MEMORY_KEYS, policy: PROBE_POLICY, files }
      const bytes = await runProgram("memory", plan, { core, build, flags: ["--expose-gc"] })
      samples.push({ round, contender: name, ...bytes })
      progress(`memory ${round}/${probeRounds}  ${name}: ${Math.round(bytes.rssBytesPerKey)} bytes of RSS a key`)
    }
  }
  return samples
}

/**
 * The worst single check while growing, and what the same loop shows without a check. On all cores: with one, the
 * collector's helper threads would interrupt the checks that they are meant to run beside.
 *
 * @param {Setting} setting
 */
export async function measureGrowth({ build, probeRounds }) {
  const samples = []
  for (let round = 1; round <= probeRounds; round++) {
    const plan = { keys: GROWTH_KEYS, policy: PROBE_POLICY }
    const without = await runProgram("growth", { ...plan, checks: false }, { core: null, build })
    const checked = await runProgram("growth", { ...plan, checks: true }, { core: null, build })
    samples.push({ round, checked, without })
    progress(`growth ${round}/${probeRounds}  worst check ${checked.worstMs.toFixed(2)} ms`)
  }
  return samples
}

/** Module size and times from bytes to the first answer. @param {Setting} setting */
export async function measureStartUp({ build, core, rounds }) {
  const samples = []
  for (let round = 1; round <= rounds; round++) samples.push(await runProgram("start-up", {}, { core, build }))
  return samples
}
