import { availableParallelism } from "node:os"
import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

const { SLUICE_FAULT_RUNS, SLUICE_FAULT_SEED } = process.env

/** A test that takes longer hangs. It is far above what any needs, so that a busy machine fails none. */
const HANGING_MS = 60_000
/** What `expect.poll` waits for comes when it comes: by default it would wait for one second. */
const PATIENT = { poll: { timeout: HANGING_MS / 2 } }

export default defineConfig({
  test: {
    // By default one processor is left for vitest itself, which has little to do: of two, one would idle.
    maxWorkers: availableParallelism(),
    // Kept on disk, a module that was transformed while dist/ was being built would fail until its text changes.
    fsModuleCache: false,
    projects: [
      {
        test: {
          name: "node",
          include: ["tests/**/*.test.ts"],
          exclude: ["tests/workerd/**"],
          testTimeout: HANGING_MS,
          hookTimeout: HANGING_MS,
          expect: PATIENT,
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./tests/workerd/wrangler.toml" } })],
        test: {
          name: "workerd",
          include: ["tests/workerd/**/*.test.ts"],
          testTimeout: HANGING_MS,
          hookTimeout: HANGING_MS,
          expect: PATIENT,
          // A Worker sees no environment variables.
          provide: {
            faultRuns: Number(SLUICE_FAULT_RUNS ?? 25),
            faultSeed: Number(SLUICE_FAULT_SEED ?? Date.now() % 1_000_000),
          },
        },
      },
    ],
  },
})
