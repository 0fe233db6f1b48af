/*
 * The registry: what a limit asks of an algorithm, and which file answers, over a rule, a 16-byte state and a time that
 * is not before the state's `sinceMs`. Every algorithm has
 *
 *   mostAheadMs  how far ahead of the clock a state may lie: ms from empty to full, at the longest
 *   wait         ms until `cost` would be admitted, 0 where it is
 *   charge       takes units, into debt if need be; after `reserve`, it cannot fail
 *   remaining    units left, rounded down
 *   reset        ms until the quota is full
 *   used         units used, rounded up; a sliding window's as it counts them, the earlier window's share rounded down
 *   refund       gives units of an earlier charge back
 *   heal         moves a state that lies too far ahead to an earlier time, with its usage
 *
 * Only one that keeps more than its state, as the log does, has
 *
 *   reserve       finds the memory that a charge needs outside the state; false where there is none, and nothing has changed
 *   release       clears a state and frees what it holds outside
 *   outsideBytes  how many bytes that is
 *   saveOutside   writes them, without pointers
 *   loadOutside   puts them back; false where they cannot be what was written, or without memory
 *
 * and only one that shapes, leaky_bucket, has
 *
 *   delay        ms to hold what is admitted
 *
 * gcra, token_bucket and leaky_bucket are an arrival time each, seen from different sides: the default of every switch.
 * The numbers are part of the ABI and of stored snapshots: a new algorithm takes the next one.
 */
import { Rule } from "../rule"
import { clear } from "../state"
import * as arrivalTime from "./arrival-time"
import * as leakyBucket from "./leaky-bucket"
import * as fixedWindow from "./fixed-window"
import * as slidingWindow from "./sliding-window"
import * as slidingWindowLog from "./sliding-window-log"
import * as tokenBucketSteps from "./token-bucket-steps"

export const GCRA: i32 = 0
export const TOKEN_BUCKET: i32 = 1
export const LEAKY_BUCKET: i32 = 2
export const FIXED_WINDOW: i32 = 3
export const SLIDING_WINDOW: i32 = 4
export const SLIDING_WINDOW_LOG: i32 = 5
export const TOKEN_BUCKET_STEPS: i32 = 6
export const ALGORITHM_COUNT: i32 = 7

/** Whether the states of a rule are arrival times. */
// @ts-ignore: decorator
@inline
export function isArrivalTime(rule: Rule): bool {
  return rule.algorithm <= LEAKY_BUCKET
}

export function mostAheadMs(rule: Rule): i64 {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      return fixedWindow.mostAheadMs(rule)
    case SLIDING_WINDOW:
      return slidingWindow.mostAheadMs(rule)
    case SLIDING_WINDOW_LOG:
      return slidingWindowLog.mostAheadMs(rule)
    case TOKEN_BUCKET_STEPS:
      return tokenBucketSteps.mostAheadMs(rule)
    default:
      return arrivalTime.mostAheadMs(rule)
  }
}

export function wait(rule: Rule, state: usize, nowMs: i64, cost: i64): i64 {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      return fixedWindow.wait(rule, state, nowMs, cost)
    case SLIDING_WINDOW:
      return slidingWindow.wait(rule, state, nowMs, cost)
    case SLIDING_WINDOW_LOG:
      return slidingWindowLog.wait(rule, state, nowMs, cost)
    case TOKEN_BUCKET_STEPS:
      return tokenBucketSteps.wait(rule, state, nowMs, cost)
    default:
      return arrivalTime.wait(rule, state, nowMs, cost)
  }
}

export function reserve(rule: Rule, state: usize, nowMs: i64): bool {
  return rule.algorithm != SLIDING_WINDOW_LOG || slidingWindowLog.reserve(rule, state, nowMs)
}

export function charge(rule: Rule, state: usize, nowMs: i64, units: i64): void {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      fixedWindow.charge(rule, state, nowMs, units)
      return
    case SLIDING_WINDOW:
      slidingWindow.charge(rule, state, nowMs, units)
      return
    case SLIDING_WINDOW_LOG:
      slidingWindowLog.charge(rule, state, nowMs, units)
      return
    case TOKEN_BUCKET_STEPS:
      tokenBucketSteps.charge(rule, state, nowMs, units)
      return
    default:
      arrivalTime.charge(rule, state, nowMs, units)
  }
}

export function remaining(rule: Rule, state: usize, nowMs: i64): i64 {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      return fixedWindow.remaining(rule, state, nowMs)
    case SLIDING_WINDOW:
      return slidingWindow.remaining(rule, state, nowMs)
    case SLIDING_WINDOW_LOG:
      return slidingWindowLog.remaining(rule, state, nowMs)
    case TOKEN_BUCKET_STEPS:
      return tokenBucketSteps.remaining(rule, state, nowMs)
    default:
      return arrivalTime.remaining(rule, state, nowMs)
  }
}

export function reset(rule: Rule, state: usize, nowMs: i64): i64 {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      return fixedWindow.reset(rule, state, nowMs)
    case SLIDING_WINDOW:
      return slidingWindow.reset(rule, state, nowMs)
    case SLIDING_WINDOW_LOG:
      return slidingWindowLog.reset(rule, state, nowMs)
    case TOKEN_BUCKET_STEPS:
      return tokenBucketSteps.reset(rule, state, nowMs)
    default:
      return arrivalTime.reset(rule, state, nowMs)
  }
}

export function used(rule: Rule, state: usize, nowMs: i64): i64 {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      return fixedWindow.used(rule, state, nowMs)
    case SLIDING_WINDOW:
      return slidingWindow.used(rule, state, nowMs)
    case SLIDING_WINDOW_LOG:
      return slidingWindowLog.used(rule, state, nowMs)
    case TOKEN_BUCKET_STEPS:
      return tokenBucketSteps.used(rule, state, nowMs)
    default:
      return arrivalTime.used(rule, state, nowMs)
  }
}

export function refund(rule: Rule, state: usize, nowMs: i64, chargedAtMs: i64, units: i64): void {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      fixedWindow.refund(rule, state, nowMs, chargedAtMs, units)
      return
    case SLIDING_WINDOW:
      slidingWindow.refund(rule, state, nowMs, chargedAtMs, units)
      return
    case SLIDING_WINDOW_LOG:
      slidingWindowLog.refund(rule, state, nowMs, chargedAtMs, units)
      return
    case TOKEN_BUCKET_STEPS:
      tokenBucketSteps.refund(rule, state, nowMs, chargedAtMs, units)
      return
    default:
      arrivalTime.refund(rule, state, nowMs, chargedAtMs, units)
  }
}

export function heal(rule: Rule, state: usize, nowMs: i64): void {
  switch (rule.algorithm) {
    case FIXED_WINDOW:
      fixedWindow.heal(rule, state, nowMs)
      return
    case SLIDING_WINDOW:
      slidingWindow.heal(rule, state, nowMs)
      return
    case SLIDING_WINDOW_LOG:
      slidingWindowLog.heal(rule, state, nowMs)
      return
    case TOKEN_BUCKET_STEPS:
      tokenBucketSteps.heal(rule, state, nowMs)
      return
    default:
      arrivalTime.heal(rule, state, nowMs)
  }
}

export function delay(rule: Rule, state: usize, nowMs: i64): i64 {
  return rule.algorithm == LEAKY_BUCKET ? leakyBucket.delay(rule, state, nowMs) : 0
}

export function release(rule: Rule, state: usize): void {
  if (rule.algorithm == SLIDING_WINDOW_LOG) slidingWindowLog.release(state)
  else clear(state)
}

/** Whether states of a rule may hold bytes outside their 16; the second word's low half is then the pointer. */
export function reachesOutside(rule: Rule): bool {
  return rule.algorithm == SLIDING_WINDOW_LOG
}

export function outsideBytes(rule: Rule, state: usize): usize {
  return rule.algorithm == SLIDING_WINDOW_LOG ? slidingWindowLog.outsideBytes(state) : 0
}

export function saveOutside(rule: Rule, state: usize, output: usize): void {
  if (rule.algorithm == SLIDING_WINDOW_LOG) slidingWindowLog.saveOutside(state, output)
}

export function loadOutside(rule: Rule, state: usize, input: usize, bytes: usize): bool {
  return rule.algorithm == SLIDING_WINDOW_LOG ? slidingWindowLog.loadOutside(state, input, bytes) : bytes == 0
}
