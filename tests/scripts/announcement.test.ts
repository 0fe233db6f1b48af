import { describe, expect, test } from "vitest"

type Announcement = (served: { url: string; port: number; wranglerOptions: readonly string[] }) => string

const { announcement } = (await import(new URL("../../scripts/announcement.mjs", import.meta.url).href)) as {
  announcement: Announcement
}

const of = (...wranglerOptions: string[]) => announcement({ url: "http://127.0.0.1:8787", port: 8787, wranglerOptions })

describe("announcement()", () => {
  test("tells of the demo, the API and the dashboard under every host", () => {
    for (const text of [of(), of("--var", "UPSTREAM:", "--log-level", "warn")]) {
      expect(text).toContain("the protected demo   for i in")
      expect(text).toContain("curl -s http://127.0.0.1:8787/v1/limits")
      expect(text).toContain("http://127.0.0.1:8787/dashboard")
      expect(text).toContain("http://127.0.0.1:8787/metrics")
    }
  })

  test("tells before an upstream nothing that would go to it, and what gives the API", () => {
    for (const options of [
      ["--var", "UPSTREAM:http://127.0.0.1:3000"],
      ["--var=UPSTREAM:http://127.0.0.1:3000"],
      ["--var", "OTHER:1", "UPSTREAM:http://127.0.0.1:3000"],
    ]) {
      const text = of(...options)
      expect(text).toContain("http://127.0.0.1:8787/api/hello")
      expect(text).toContain("--var API_HOST:localhost")
      expect(text).not.toMatch(/\/v1\/|\/dashboard|\/metrics|monitor/)
    }
  })

  test("tells the API under its host where it has one", () => {
    const text = of("--var", "UPSTREAM:http://127.0.0.1:3000", "--var", "API_HOST:localhost")
    expect(text).toContain("http://127.0.0.1:8787/api/hello")
    expect(text).toContain("http://localhost:8787/dashboard")
    expect(text).not.toContain("http://127.0.0.1:8787/v1")
  })
})
