import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { WorkerdProcess } from "./workerd-process.js"

const { SLUICE_SOAK_SECONDS, SLUICE_SOAK_KEYS } = process.env
/** How long the load lasts; minutes by the environment. */
const SECONDS = Number(SLUICE_SOAK_SECONDS ?? 6)
const KEYS = Number(SLUICE_SOAK_KEYS ?? 100_000)
const LIMIT = 3
/** Of a period that no test outlasts: each unit that is used stays used. */
const POLICIES = JSON.stringify({
  shard: JSON.stringify({ limit: LIMIT, period: "520w", algorithm: "fixed_window", anchor: "first" }),
})
const CLIENTS = 8
const KEYS_AT_ONCE = 100
/** The hottest hundredth of the keys gets half of the checks. */
const HOT_SHARE = 0.01
const SAMPLED = 2_000

function memoryMiB(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")
  return (Number(pages) * 4_096) / 2 ** 20
}

test(
  `${KEYS} keys in 16 shards under mixed traffic for ${SECONDS} s are admitted what an independent tally says, through a crash`,
  async () => {
    await using workerd = await WorkerdProcess.of("../workerd/soak-worker.ts", { POLICIES })
    await workerd.start()
    const admitted = new Uint8Array(KEYS)
    const asked = new Uint32Array(KEYS)
    const draw = () => Math.floor(Math.random() * (Math.random() < 0.5 ? KEYS * HOT_SHARE : KEYS))
    const untilMs = Date.now() + SECONDS * 1_000
    let checks = 0

    async function client(): Promise<void> {
      while (Date.now() < untilMs) {
        const keys = Array.from({ length: KEYS_AT_ONCE }, draw)
        const answers = (await workerd.ask<string>(`/check/shard/${keys.join(",")}`))!
        for (const [index, key] of keys.entries()) {
          asked[key]! += 1
          if (answers[index] === "1") admitted[key]! += 1
        }
        checks += keys.length
      }
    }
    const memory: number[] = []
    const watch = setInterval(() => memory.push(memoryMiB(workerd.pid)), 500)
    await Promise.all(Array.from({ length: CLIENTS }, client))
    clearInterval(watch)

    expect(checks).toBeGreaterThan(1_000)
    for (let key = 0; key < KEYS; key++) {
      if (admitted[key] !== Math.min(LIMIT, asked[key]!)) {
        throw new Error(`key ${key} was asked about ${asked[key]} times and admitted ${admitted[key]} times`)
      }
    }
    await workerd.kill()
    await workerd.start()
    for (let first = 0; first < SAMPLED; first += KEYS_AT_ONCE) {
      const keys = Array.from({ length: KEYS_AT_ONCE }, draw)
      const left = (await workerd.ask<string>(`/left/shard/${keys.join(",")}`))!
      expect(left).toBe(keys.map((key) => LIMIT - admitted[key]!).join(""))
    }
    const touched = asked.filter((count) => count > 0).length
    const half = memory.slice(memory.length >> 1)
    console.log(
      `${checks} checks of ${touched} keys; memory of workerd ${memory[0]?.toFixed(0)} MiB at first, ${Math.max(...half).toFixed(0)} MiB at most in the second half`,
    )
    // 100,000 keys with their statistics are some 20 MiB; a leak per check would be far above this in a longer run.
    if (process.platform === "linux") expect(Math.max(...half)).toBeLessThan(700)
  },
  60_000 + SECONDS * 3_000,
)
