import { ManualClock } from "sluice"
import { openLimiter } from "sluice/embedded"
import { afterAll, expect, test } from "vitest"
import { START_MS } from "../conformance/limiter-case.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const { SLUICE_LOG_BYTES } = process.env
/**
 * How long the log gets; more by the environment. It must stay below 2^31, where a store compacts by itself at last.
 */
const LOG_BYTES = Number(SLUICE_LOG_BYTES ?? 16_000_000)
/** So many that nearly every record names a key that its segment has not named yet. */
const KEYS = 4_000
const KEY_LENGTH = 500
const LIMIT = 2 ** 31 - 1
const GROUP = 2_000
const NEVER = 2 ** 31
const MS_PER_BYTE = 1 / 2_000

const keys = Array.from({ length: KEYS }, (_, index) => `${index}:`.padEnd(KEY_LENGTH, "x"))

afterAll(removeFolders)

test(
  `a log of ${LOG_BYTES} bytes is replayed, verified and compacted, and each key has what it had`,
  async () => {
    const options = {
      path: temporaryFolder(),
      compactBytes: NEVER,
      historySegments: 0,
      clock: new ManualClock(START_MS),
    } as const
    const charged = new Uint32Array(KEYS)
    const seen = async (limiter: Awaited<ReturnType<typeof openLimiter>>) => {
      const left = await Promise.all(keys.map(async (key) => (await limiter.status(key)).remaining))
      return Uint32Array.from(left, (remaining) => LIMIT - remaining)
    }

    let limiter = await openLimiter({ ...options, sync: "batch", policy: `${LIMIT}/day` })
    for (let bytes = 0, next = 0; bytes < LOG_BYTES; ) {
      const checks = Array.from({ length: GROUP }, () => {
        const index = next++ % KEYS
        charged[index]! += 1
        bytes += KEY_LENGTH
        return limiter.check(keys[index]!)
      })
      await Promise.all(checks)
    }
    await limiter.close()

    limiter = await openLimiter(options)
    expect(await seen(limiter)).toEqual(charged)
    const found = await limiter.verify()
    expect(found.replayEqualsLive).toBe(true)
    expect(found.bytes).toBeGreaterThan(LOG_BYTES)
    await limiter.compact()
    expect((await limiter.verify()).bytes).toBeLessThan(LOG_BYTES / 2)
    await limiter.close()

    limiter = await openLimiter(options)
    expect(await seen(limiter)).toEqual(charged)
    await limiter.close()
  },
  60_000 + LOG_BYTES * MS_PER_BYTE,
)
