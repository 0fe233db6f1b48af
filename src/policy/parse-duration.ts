import { nearestNameHint } from "../lib/nearest-name.js"
import { PolicyError } from "../types/errors.js"
import { MAX_PERIOD_MS } from "./policy-range.js"
import { isWhole, unfit } from "./require-fields.js"

/** The durations that a field allows, both ends included. Whole milliseconds, 0 ≤ minMs ≤ maxMs < 2^53. */
export interface DurationRange {
  readonly minMs: number
  readonly maxMs: number
}

/** 1 ms … 10 years: the range of periods, refill steps and blocks. */
const PERIOD_RANGE: DurationRange = { minMs: 1, maxMs: MAX_PERIOD_MS }

/** 0 ms … 10 years: the range of timeouts, 0 for none. */
export const TIMEOUT_RANGE: DurationRange = { minMs: 0, maxMs: MAX_PERIOD_MS }

/** The units that there are, in ms. */
export const UNIT_MS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{ ms: 1, millisecond: 1, milliseconds: 1 },
    ...{ s: 1_000, sec: 1_000, second: 1_000, seconds: 1_000 },
    ...{ m: 60_000, min: 60_000, minute: 60_000, minutes: 60_000 },
    ...{ h: 3_600_000, hour: 3_600_000, hours: 3_600_000 },
    ...{ d: 86_400_000, day: 86_400_000, days: 86_400_000 },
    ...{ w: 604_800_000, week: 604_800_000, weeks: 604_800_000 },
  }),
)

const DURATION = /^(\d+)(\.\d*)?\s*([A-Za-z]*)$/

/**
 * Reads a duration: a number of milliseconds, or a text of a whole number and a unit, with or without space between.
 *
 * Units are `ms`, `s`, `m`, `h`, `d`, `w`, or in words `millisecond(s)`, `sec`, `second(s)`, `min`, `minute(s)`,
 * `hour(s)`, `day(s)`, `week(s)`; a day has 24 hours. Nothing is rounded: `1.5` and `"1.5s"` are errors. So is a text
 * without a unit, for whoever writes `"30"` may mean seconds.
 *
 * @param field what an error calls the value, such as `"period"`
 * @param range what is allowed; 1 ms … 10 years if not given
 * @returns whole milliseconds within the range
 * @throws {PolicyError} where it is no duration or out of range
 */
export function parseDuration(field: string, input: unknown, range?: DurationRange): number {
  return readDuration(input, range, (allowed) => new PolicyError(field, input, allowed))
}

/**
 * `parseDuration` for an argument that is none of a policy.
 *
 * @param doing what cannot be done with it, such as `"block"`
 * @throws {RangeError} naming the argument, its value and what is allowed
 */
export function parseDurationArgument(doing: string, name: string, input: unknown, range?: DurationRange): number {
  return readDuration(input, range, (allowed) => unfit(doing, name, input, allowed))
}

/**
 * The milliseconds of one unit, for short forms that leave the count out as in `"100/minute"`.
 *
 * @param value what an error shows as the value
 * @throws {PolicyError} where there is no such unit
 */
export function parseDurationUnit(field: string, value: string, unit: string): number {
  return readUnit(unit, (allowed) => new PolicyError(field, value, allowed))
}

/** Makes the error of what cannot be, in the words of whoever asks. */
type Refuse = (allowed: string) => Error

function readDuration(input: unknown, range = PERIOD_RANGE, refuse: Refuse): number {
  const durationMs = typeof input === "string" ? readText(input, range, refuse) : input
  if (isWhole(durationMs, range.minMs, range.maxMs) && !Object.is(durationMs, -0)) return durationMs
  throw refuse(describe(range))
}

function readUnit(unit: string, refuse: Refuse): number {
  const unitMs = UNIT_MS.get(unit)
  if (unitMs !== undefined) return unitMs
  const known = [...UNIT_MS.keys()]
  throw refuse(`a duration in one of ${known.join(", ")}${nearestNameHint(unit, known)}`)
}

function readText(input: string, range: DurationRange, refuse: Refuse): number {
  const match = DURATION.exec(input.trim())
  if (match === null) throw refuse(describe(range))
  const [, count, fraction, unit] = match
  if (fraction !== undefined) {
    throw refuse('a whole number, as in "1500ms" for "1.5s"')
  }
  if (unit === "") {
    throw refuse(`a text with its unit, such as "${count}ms" or "${count}s"`)
  }
  // A count beyond 2^53 loses digits here, but then the product is beyond every range and the caller refuses it.
  return Number(count) * readUnit(unit!, refuse)
}

function describe({ minMs, maxMs }: DurationRange): string {
  return `a whole number of ms, or a text such as "10s" or "15m", from ${minMs} ms to ${maxMs} ms`
}
