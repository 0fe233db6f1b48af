// The tests with the budgets of a night: more rounds of what is random, the same tests. Arguments go to vitest.
import { spawnSync } from "node:child_process"

/** What the environment says wins. */
const BUDGETS = {
  SLUICE_PROPERTY_CALLS: "11000000",
  SLUICE_CRASH_ROUNDS: "100",
  SLUICE_FAULT_RUNS: "1000",
  SLUICE_FUZZ_REQUESTS: "100000",
  SLUICE_LOG_BYTES: "2000000000",
}

const { status } = spawnSync("npm", ["run", "--silent", "test:run", "--", ...process.argv.slice(2)], {
  env: { ...BUDGETS, ...process.env },
  stdio: "inherit",
  shell: process.platform === "win32",
})
process.exit(status ?? 1)
