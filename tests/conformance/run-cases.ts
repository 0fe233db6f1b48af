import type { CoreUnderTest } from "./core-case.js"
import { coreCases } from "./core-cases.js"
import type { MakeLimiter } from "./limiter-case.js"
import { limiterCases } from "./limiter-cases.js"

/** How a case ended, as plain data. */
export interface CaseResult {
  readonly name: string
  /** `null` where it passed, else the error with its stack. */
  readonly failure: string | null
}

/** What a runtime's run tells. */
export interface RunReport {
  readonly runtime: string
  readonly core: readonly CaseResult[]
  readonly limiter: readonly CaseResult[]
}

/** Runs both suites without a test framework, on a limiter that lacks nothing. */
export async function runCases(runtime: string, core: CoreUnderTest, make: MakeLimiter): Promise<RunReport> {
  const coreResults: CaseResult[] = []
  for (const coreCase of coreCases) coreResults.push(await outcomeOf(coreCase.name, () => coreCase.run(core)))
  const limiterResults: CaseResult[] = []
  for (const limiterCase of limiterCases) {
    limiterResults.push(await outcomeOf(limiterCase.name, () => limiterCase.run(make)))
  }
  return { runtime, core: coreResults, limiter: limiterResults }
}

/** Runs one case, and tells how it ended. */
export async function outcomeOf(name: string, run: () => void | Promise<void>): Promise<CaseResult> {
  try {
    await run()
    return { name, failure: null }
  } catch (error) {
    return { name, failure: textOf(error) }
  }
}

/** An error's message and stack; some runtimes' stacks start with the message, others do not. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, stack = "" } = error
  return stack.includes(message) ? stack : `${error.name}: ${message}\n${stack}`
}
