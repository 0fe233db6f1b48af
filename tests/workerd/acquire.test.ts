import { exports } from "cloudflare:workers"
import { describe, expect, test } from "vitest"

/** Requests to the Worker of these tests, whose limiters all of them share, 20 a second. */
async function waitAtOnce(path: string, requests: number): Promise<string[]> {
  const answers = Array.from({ length: requests }, async () =>
    (await exports.default.fetch(`http://localhost${path}`)).text(),
  )
  return (await Promise.all(answers)).sort()
}

const admitted = (count: number) => Array.from({ length: count }, () => "admitted")

describe("acquire() of several requests on Workers", () => {
  test.each(["/wait-in-memory", "/wait-for-object"])("admits each in its time: %s", async (path) => {
    expect(await waitAtOnce(path, 6)).toEqual(admitted(6))
    // Nobody stands behind one whose request has ended.
    expect(await waitAtOnce(path, 2)).toEqual(admitted(2))
  })

  test("waits for no more than `maxWaiting` at a time", async () => {
    const answers = await waitAtOnce("/wait-in-memory", 9)
    const isRefused = (answer: string) => answer === "QUEUE_FULL"
    // The first to be asked for need not wait.
    expect(answers.filter(isRefused).length).toBeGreaterThanOrEqual(2)
    expect(answers.filter((answer) => !isRefused(answer))).toEqual(
      admitted(answers.length - answers.filter(isRefused).length),
    )
    expect(answers).toContain("admitted")
  })
})
