// Serves the Worker on this machine with `wrangler dev`. Its objects are kept in .sluice, apart for each port, and
// outlive any kill. `npm start -- --port N`, or PORT in the environment, takes another port; other options go to
// wrangler.
//
//   npm start ── this file ── guard ── wrangler ── workerd
//                               └──── one process group ─┘
//
// A SIGKILL runs no handler, so each part watches another instead: the guard ends its whole group when its standard
// input closes (this file died) or wrangler ends; this file ends when the guard does, when the npm above it is gone or
// when the port falls silent. So no workerd is left behind holding the port. wrangler starts a workerd that was killed
// again, but does not always find back to it: then all of it is started anew.
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { announcement } from "./announcement.mjs"

const HOST = "127.0.0.1"
const DEFAULT_PORT = 8787
const POLL_MS = 200
const MAX_PORT_WAIT_MS = 5_000
const MAX_SILENT_POLLS = 10
/** How often a killed workerd is started again before something must be wrong. */
const MAX_RESTARTS = 100
/** The guard ends with this status when it wants to be started again. */
const RESTART = 75
const CRASHED = "runtime crashed unexpectedly"
const READY = "Ready on"
const root = join(import.meta.dirname, "..")

const isGuard = process.argv[2] === "--guard"
const { port, wranglerOptions } = readArguments(process.argv.slice(isGuard ? 3 : 2))
const url = `http://${HOST}:${port}`

if (isGuard) guard()
else await serve()

function readArguments(args) {
  const at = args.findIndex((arg) => arg === "--port" || arg.startsWith("--port="))
  const rest = [...args]
  let wanted = process.env.PORT || DEFAULT_PORT
  if (at >= 0) {
    const [option, value] = rest.splice(at, args[at] === "--port" ? 2 : 1)
    if (option === "--port" && (value === undefined || value.startsWith("-"))) {
      refuse("--port has no value, allowed is --port N")
    }
    wanted = option === "--port" ? value : option.slice("--port=".length)
  }
  const port = Number(wanted)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    refuse(`the port is ${JSON.stringify(wanted)}, allowed is 1 to 65535`)
  }
  return { port, wranglerOptions: rest }
}

function refuse(why) {
  console.error(`Cannot serve: ${why}.`)
  process.exit(2)
}

async function serve() {
  // A server that was killed a moment ago may still be going down.
  for (let waitedMs = 0; await accepts(); waitedMs += POLL_MS) {
    if (waitedMs >= MAX_PORT_WAIT_MS) {
      console.error(`Cannot serve on ${url}: something else listens there. Another port: npm start -- --port N`)
      process.exit(1)
    }
    await sleep(POLL_MS)
  }
  let guard
  let exitCode = 1
  let restarts = 0
  // What answers on the port may be another one that was started at the same moment, until this one's own says so.
  let isReady = false
  const startGuard = () => {
    guard = spawn(process.execPath, [import.meta.filename, "--guard", "--port", String(port), ...wranglerOptions], {
      cwd: root,
      stdio: ["pipe", "inherit", "inherit", "ipc"],
      detached: true,
    })
    isReady = false
    guard.on("message", () => {
      isReady = true
    })
    guard.stdin.on("error", () => {})
    guard.on("exit", (code) => {
      killGroup(guard.pid)
      if (code !== RESTART || ++restarts > MAX_RESTARTS) process.exit(exitCode)
      console.log("workerd ended; starting it again.")
      startGuard()
    })
  }
  startGuard()
  const stop = () => guard.stdin.end()
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      exitCode = 0
      stop()
    })
  }

  const ancestors = npmAncestors()
  let announced = false
  let announcedRestarts = 0
  let silentPolls = 0
  for (;;) {
    await sleep(POLL_MS)
    if (!ancestors.every(isAlive)) return stop()
    if (restarts > announcedRestarts) announced = false
    if (isReady && (await accepts())) {
      if (!announced) console.log(announcement({ url, port, wranglerOptions }))
      announced = true
      announcedRestarts = restarts
      silentPolls = 0
    } else if (announced && ++silentPolls === MAX_SILENT_POLLS) {
      console.error(`Stopped: ${url} no longer answers.`)
      return stop()
    }
  }
}

/** Leads the process group of wrangler and workerd, and takes it along when it ends. */
function guard() {
  const end = () => killGroup(process.pid)
  // No handler of wrangler runs when it is killed, so what it leaves of temporary folders is removed by the next start.
  const temporaries = join(root, ".sluice", String(port), "tmp")
  const temporary = join(temporaries, String(process.pid))
  mkdirSync(temporary, { recursive: true })
  for (const name of readdirSync(temporaries)) {
    if (!isAlive(Number(name))) rmSync(join(temporaries, name), { recursive: true, force: true })
  }
  const wrangler = spawn(
    process.execPath,
    [
      join(root, "node_modules", "wrangler", "bin", "wrangler.js"),
      ...["dev", "--ip", HOST, "--port", String(port), "--inspector-port", "0"],
      ...["--persist-to", `.sluice/${port}`, "--show-interactive-dev-session", "false", ...wranglerOptions],
    ],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        TMPDIR: temporary,
        ...(process.stdout.isTTY && { FORCE_COLOR: "1" }),
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
      },
    },
  )
  wrangler.on("exit", end)
  wrangler.stdout.setEncoding("utf8").on("data", (text) => {
    process.stdout.write(text)
    if (text.includes(CRASHED)) process.exit(RESTART)
    if (text.includes(READY)) process.send("ready")
  })
  // State is durable at every moment, so there is nothing to wait for.
  process.stdin.on("close", end).resume()
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end)
}

function killGroup(leader) {
  try {
    process.kill(-leader, "SIGKILL")
  } catch {
    // The group is gone already.
  }
}

/** Whether a process runs. One that was killed and that nobody waits for still has its number, as a zombie. */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return process.platform !== "linux" || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

/** The npm processes that started this one, with the shells between them; none where `ps` cannot tell. */
function npmAncestors() {
  const { stdout, status } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
  if (status !== 0) return []
  const processes = new Map()
  for (const line of stdout.split("\n")) {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    if (pid) processes.set(Number(pid), { parent: Number(parent), command })
  }
  const ancestors = []
  for (let pid = process.ppid; processes.has(pid); pid = processes.get(pid).parent) {
    if (!/^(npm |sh -c |node .*npm)/.test(processes.get(pid).command)) break
    ancestors.push(pid)
  }
  return ancestors
}

function accepts() {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port })
    const answer = (accepted) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.setTimeout(POLL_MS, () => answer(false))
    socket.on("connect", () => answer(true)).on("error", () => answer(false))
  })
}
