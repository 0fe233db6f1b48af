// The build that this run measures; `runProgram` says where it is.
export const { RateLimiter, turnClock } = await import(process.env.SLUICE_BENCH_INDEX)
