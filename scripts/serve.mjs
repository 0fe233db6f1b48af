// Serves the Worker on this machine with `wrangler dev`. Its objects are kept in .sluice and outlive any kill.
//
//   npm start ── this file ── guard ── wrangler ── workerd
//                               └──── one process group ─┘
//
// A SIGKILL runs no handler, so each part watches another instead: the guard ends its whole group when its standard
// input closes (this file died) or wrangler ends; this file ends when the guard does, when the npm above it is gone or
// when the port falls silent. So no workerd is left behind holding the port.
import { spawn, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const HOST = "127.0.0.1"
const PORT = 8787
const POLL_MS = 200
const PORT_FREE_WITHIN_MS = 5_000
const SILENT_POLLS_MAX = 10
const root = join(import.meta.dirname, "..")
const url = `http://${HOST}:${PORT}`

if (process.argv[2] === "--guard") guard(process.argv.slice(3))
else await serve(process.argv.slice(2))

async function serve(wranglerOptions) {
  // A server that was killed a moment ago may still be going down.
  for (let waitedMs = 0; await accepts(); waitedMs += POLL_MS) {
    if (waitedMs >= PORT_FREE_WITHIN_MS) {
      console.error(`Cannot serve on ${url}: something else listens there.`)
      process.exit(1)
    }
    await sleep(POLL_MS)
  }
  const guard = spawn(process.execPath, [import.meta.filename, "--guard", ...wranglerOptions], {
    cwd: root,
    stdio: ["pipe", "inherit", "inherit"],
    detached: true,
  })
  const stop = () => guard.stdin.end()
  let exitCode = 1
  guard.stdin.on("error", () => {})
  guard.on("exit", () => {
    killGroup(guard.pid)
    process.exit(exitCode)
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      exitCode = 0
      stop()
    })
  }

  const ancestors = npmAncestors()
  let announced = false
  let silentPolls = 0
  for (;;) {
    await sleep(POLL_MS)
    if (!ancestors.every(isAlive)) return stop()
    if (await accepts()) {
      if (!announced) announce()
      announced = true
      silentPolls = 0
    } else if (announced && ++silentPolls === SILENT_POLLS_MAX) {
      console.error(`Stopped: ${url} no longer answers.`)
      return stop()
    }
  }
}

/** Leads the process group of wrangler and workerd, and takes it along when it ends. */
function guard(wranglerOptions) {
  const end = () => killGroup(process.pid)
  const wrangler = spawn(
    process.execPath,
    [
      join(root, "node_modules", "wrangler", "bin", "wrangler.js"),
      ...["dev", "--ip", HOST, "--port", String(PORT), "--inspector-port", "0"],
      ...["--persist-to", ".sluice", "--show-interactive-dev-session", "false", ...wranglerOptions],
    ],
    {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
      },
    },
  )
  wrangler.on("exit", end)
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
    const socket = connect({ host: HOST, port: PORT })
    const answer = (accepted) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.setTimeout(POLL_MS, () => answer(false))
    socket.on("connect", () => answer(true)).on("error", () => answer(false))
  })
}

function announce() {
  console.log(`
sluice serves on ${url}

  try it:  for i in $(seq 12); do curl -si ${url}/api/hello | grep -iE '^(HTTP|RateLimit|Retry)'; echo; done
  stop:    Ctrl-C; what was counted stays in .sluice
`)
}
