import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

const { SLUICE_FAULT_RUNS, SLUICE_FAULT_SEED } = process.env

export default defineConfig({
  test: {
    // Kept on disk, a module that was transformed while dist/ was being built would fail until its text changes.
    fsModuleCache: false,
    projects: [
      {
        test: {
          name: "node",
          include: ["tests/**/*.test.ts"],
          exclude: ["tests/workerd/**"],
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./tests/workerd/wrangler.toml" } })],
        test: {
          name: "workerd",
          include: ["tests/workerd/**/*.test.ts"],
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
