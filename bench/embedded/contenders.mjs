import { mkdirSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

const require = createRequire(join(import.meta.dirname, "..", "package.json"))
const LIMIT = 1_000_000
const SECONDS = 1

/** A database as all contenders on SQLite have it: a write-ahead log, and every commit synced. */
function openDatabase(path) {
  mkdirSync(path, { recursive: true })
  const database = new DatabaseSync(join(path, "bench.db"))
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  return database
}

async function sluice(path, options) {
  const { openLimiter } = await import("../../dist/src/embedded/index.node.js")
  const limiter = await openLimiter({ path, policy: `${LIMIT}/${SECONDS}s`, ...options })
  return { check: (key) => limiter.check(key), close: () => limiter.close() }
}

/** What is measured, by name: each gives a `check` of a key, and a `close`. */
export const CONTENDERS = {
  "sluice-always": ({ path }) => sluice(path, { sync: "always" }),
  "sluice-ahead": ({ path }) => sluice(path, { sync: "ahead" }),
  "sluice-batch": ({ path }) => sluice(path, { sync: "batch" }),

  /** One row and one commit for each check: what the disk allows who does not share commits. */
  "commit-per-check": ({ path }) => {
    const database = openDatabase(path)
    database.exec("CREATE TABLE checks (id INTEGER PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL)")
    const insert = database.prepare("INSERT INTO checks (key, at) VALUES (?, ?)")
    return {
      check: async (key) => insert.run(key, Date.now()),
      close: () => database.close(),
    }
  },

  /** rate-limiter-flexible on the same `node:sqlite`, which answers as better-sqlite3 does. */
  "rate-limiter-flexible-sqlite": async ({ path }) => {
    const { RateLimiterSQLite } = require("rate-limiter-flexible")
    const database = openDatabase(path)
    const storeClient = {
      prepare: (sql) => database.prepare(sql),
      transaction: (work) => () => {
        database.exec("BEGIN IMMEDIATE")
        const result = work()
        database.exec("COMMIT")
        return result
      },
    }
    const limiter = await new Promise((resolve, reject) => {
      const options = {
        storeClient,
        storeType: "better-sqlite3",
        tableName: "limits",
        points: LIMIT,
        duration: SECONDS,
      }
      const made = new RateLimiterSQLite(options, (error) => (error ? reject(error) : resolve(made)))
    })
    return {
      check: (key) => limiter.consume(key),
      close: () => database.close(),
    }
  },

  /** rate-limiter-flexible on a Redis of this machine that keeps nothing on the disk. */
  "rate-limiter-flexible-redis": async ({ redisPort }) => {
    const { RateLimiterRedis } = require("rate-limiter-flexible")
    const { Redis } = require("ioredis")
    const storeClient = new Redis(redisPort, "127.0.0.1")
    const limiter = new RateLimiterRedis({ storeClient, points: LIMIT, duration: SECONDS })
    return {
      check: (key) => limiter.consume(key),
      close: () => storeClient.quit(),
    }
  },
}
