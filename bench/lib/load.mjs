// The load generator: a process of its own that asks an HTTP server over N kept-alive connections. Takes a LoadPlan as
// JSON in its first argument, prints a LoadResult as JSON.
//
// `once` and `timed` are closed loops: each connection sends its next request as soon as the last is answered.
// Latencies are those that the callers saw, not corrected for the requests that a stalled connection did not send.
// `paced` is an open loop: each request is due at its time, whether the server answers or not, and its latency counts
// from then.
import { connect } from "node:net"
import { performance } from "node:perf_hooks"
import { ResponseScanner } from "./response-scanner.mjs"
import { percentile } from "./statistics.mjs"

/**
 * @typedef {object} LoadPlan
 * @property {number} port on 127.0.0.1
 * @property {string[]} paths what to ask for
 * @property {{ path: string, headers: Record<string, string>, bodies: string[] }} [post] in place of `paths`
 * @property {number} connections
 * @property {number} expectedStatus any other answer is counted as unexpected
 * @property {"once" | "timed" | "paced"} mode `once` asks each path once, in order; the others draw paths at random
 * @property {number} warmUpMs not of `once`: asked but not measured
 * @property {number} measureMs not of `once`
 * @property {number} requestsPerSecond `paced` only: of all connections together
 *
 * @typedef {object} LoadResult
 * @property {number} requests measured: those begun after the warm-up
 * @property {number} requestsPerSecond until the last of them was answered
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} maximumMs
 * @property {number} answered all answers, warm-up included
 * @property {number} unexpected those of another status
 * @property {number} generatorBusy this process's share of one core while it measured: near 1, it was the bottleneck
 */

/** @type {LoadPlan} */
const plan = JSON.parse(process.argv[2])

const STALL_MS = 30_000
const RECEIVE_BYTES = 16_384

function postOf({ path, headers }, body) {
  const fields = { Host: "127.0.0.1", "Content-Length": Buffer.byteLength(body), ...headers }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`)
}

const requests =
  plan.post?.bodies.map((body) => postOf(plan.post, body)) ??
  plan.paths.map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`))

// xorshift32: the same sequence of paths for every contender.
let seed = 0x9e3779b9
function random(below) {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return (seed >>> 0) % below
}

const timed = plan.mode !== "once"
const paced = plan.mode === "paced"
/** Between two requests of one connection, where they are paced. */
const periodMs = paced ? (1000 * plan.connections) / plan.requestsPerSecond : 0
const startMs = performance.now()
const measureFromMs = timed ? startMs + plan.warmUpMs : startMs
const sendUntilMs = timed ? measureFromMs + plan.measureMs : Number.POSITIVE_INFINITY

let latenciesMs = new Float64Array(1 << 16)
let measured = 0
let answered = 0
let unexpected = 0
let lastAnswerMs = startMs
let cpuAtMeasure = null
let nextPath = 0
let open = plan.connections
/** Connections whose next request is not due yet, paced only: what sends it, by when. */
const waiting = new Map()

function record(latencyMs) {
  if (measured === latenciesMs.length) {
    const larger = new Float64Array(measured * 2)
    larger.set(latenciesMs)
    latenciesMs = larger
  }
  latenciesMs[measured++] = latencyMs
}

/** The next request, or `null` when this run has sent all that it should. */
function draw(nowMs) {
  if (timed) return nowMs < sendUntilMs ? requests[random(requests.length)] : null
  return nextPath < requests.length ? requests[nextPath++] : null
}

function fail(error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

function finish() {
  const cpu = process.cpuUsage(cpuAtMeasure ?? undefined)
  const elapsedMs = lastAnswerMs - measureFromMs
  if (measured === 0) fail("Cannot measure: no request was begun and answered after the warm-up.")
  const sorted = latenciesMs.subarray(0, measured).sort()
  /** @type {LoadResult} */
  const result = {
    requests: measured,
    requestsPerSecond: (measured / elapsedMs) * 1000,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maximumMs: sorted[measured - 1],
    answered,
    unexpected,
    generatorBusy: (cpu.user + cpu.system) / 1000 / elapsedMs,
  }
  process.stdout.write(JSON.stringify(result), () => process.exit(0))
}

function openConnection(index) {
  const scanner = new ResponseScanner()
  let sentMs = 0
  let dueMs = startMs + (index * periodMs) / plan.connections
  let done = false

  function send(socket, nowMs) {
    if (paced && nowMs < dueMs) {
      waiting.set(socket, { dueMs, send })
      return
    }
    const request = draw(nowMs)
    if (request === null) {
      done = true
      socket.destroy()
      if (--open === 0) finish()
      return
    }
    sentMs = paced ? dueMs : nowMs
    dueMs += periodMs
    socket.write(request)
  }

  const socket = connect({
    host: "127.0.0.1",
    port: plan.port,
    noDelay: true,
    // One buffer per connection for good: reading allocates nothing but the text of the head.
    onread: {
      buffer: Buffer.allocUnsafe(RECEIVE_BYTES),
      callback(length, buffer) {
        try {
          const status = scanner.take(buffer, length)
          if (status === 0) return true
          const nowMs = performance.now()
          lastAnswerMs = nowMs
          answered++
          if (status !== plan.expectedStatus) unexpected++
          if (sentMs >= measureFromMs) {
            cpuAtMeasure ??= process.cpuUsage()
            record(nowMs - sentMs)
          }
          send(socket, nowMs)
        } catch (error) {
          fail(error)
        }
        return true
      },
    },
  })
  socket.once("connect", () => send(socket, performance.now()))
  socket.once("error", fail)
  socket.once("close", () => {
    if (!done) fail("Cannot measure: the server closed a connection.")
  })
}

setInterval(() => {
  if (performance.now() - lastAnswerMs > STALL_MS) fail(`Cannot measure: no answer for ${STALL_MS} ms.`)
}, 1000)

/** Sends what is due. It never sleeps: a timer would be late by more than most answers take. */
function sendDue() {
  const nowMs = performance.now()
  for (const [socket, { dueMs, send }] of waiting) {
    if (dueMs > nowMs && nowMs < sendUntilMs) continue
    waiting.delete(socket)
    send(socket, Math.max(nowMs, dueMs))
  }
  setImmediate(sendDue)
}

for (let index = 0; index < plan.connections; index++) openConnection(index)
if (paced) sendDue()
