import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Miniflare } from "miniflare"
import { afterAll, beforeAll, expect, test } from "vitest"
import { startWorker } from "../start-worker.js"

const ROOMS = 12

const folder = mkdtempSync(join(tmpdir(), "sluice-gate-"))
let worker: Miniflare

beforeAll(async () => {
  const source = join(import.meta.dirname, "../workerd/gated-worker.ts")
  worker = await startWorker(source, folder, { objects: { LIMITER: "LimiterObject", ROOM: "Room" } })
})

afterAll(async () => {
  await worker.dispose()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(path: string): Promise<number> {
  const response = await worker.dispatchFetch(`http://localhost${path}`)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as number
}

/** Half of the rooms behind a gate, half without one, all at once. */
function askInRooms(gate: string, limit: string): Promise<number[]> {
  const pathOf = (room: number) => `/${room % 2 === 0 ? gate : "none"}/${limit}/${gate}-${limit}-${room}`
  return Promise.all(Array.from({ length: ROOMS }, (_, room) => ask(pathOf(room))))
}

// A Durable Object takes no events within either, and another request's answer is one.
const GATES = ["concurrency", "transaction"]

test.each(GATES)("check() behind a gate of an object (%s) is answered by a call of others", async (gate) => {
  const before = await ask("/calls/shared")
  const remaining = await askInRooms(gate, "shared")
  expect(new Set(remaining).size).toBe(ROOMS)
  expect((await ask("/calls/shared")) - before, "calls were shared").toBeLessThan(ROOMS)
})

test.each(GATES)("check() behind a gate of an object (%s) is answered by a draw of others", async (gate) => {
  const before = await ask("/calls/leased")
  await askInRooms(gate, "leased")
  expect((await ask("/calls/leased")) - before, "draws were shared").toBeLessThan(ROOMS)
})

test.each(GATES)("acquire() behind a gate of an object (%s) is admitted in its time", async (gate) => {
  expect(await askInRooms(gate, "short")).toHaveLength(ROOMS)
})
