import { spawnSync } from "node:child_process"
import { connect, createServer } from "node:net"
import { start } from "../lib/children.mjs"

/**
 * Starts a Redis that keeps nothing on the disk, on a free port of this machine.
 *
 * @param {string} folder where it may put files
 * @returns {Promise<{ child: import("node:child_process").ChildProcess, port: number, version: string } | null>} `null`
 * where no Redis is installed
 */
export async function startRedis(folder) {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" })
  if (status !== 0) return null
  const version = /v=(\S+)/.exec(stdout)?.[1] ?? "of unknown version"
  const port = await freePort()
  const options = { port, bind: "127.0.0.1", save: "", appendonly: "no", dir: folder, daemonize: "no" }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = start(["redis-server", ...args], { stdio: "ignore" })
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`Cannot start Redis: it ended with ${child.exitCode}.`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { child, port, version }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => socket.destroy()).once("error", () => {})
    socket.once("close", (hadError) => resolve(!hadError))
  })
}
