import { afterEach, beforeEach, expect, test } from "vitest"
import { AUTH, raw, Servers } from "./servers.js"

let servers: Servers

beforeEach(() => {
  servers = new Servers()
})
afterEach(() => servers[Symbol.dispose]())

test("sluice serve answers what is no page of the dashboard by a problem, with or without the token", async () => {
  const { port } = await servers.serve()
  const ask = (method: string, path: string, fields: string) =>
    raw(port, `${method} ${path} HTTP/1.1\r\n${fields}\r\n`, 1)
  for (const fields of [AUTH, "Host: x\r\n"]) {
    expect(await ask("GET", "/dashboard/", fields)).toMatch(/^HTTP\/1\.1 200 /)
    for (const path of ["/dashboard/nothing.js", "/dashboard/../sluice.db", "/dashboard/%2e%2e/_headers"]) {
      const answer = await ask("GET", path, fields)
      expect(answer).toMatch(/^HTTP\/1\.1 404 [\s\S]*Content-Type: application\/problem\+json\r\n/)
      expect(JSON.parse(answer.split("\r\n\r\n")[1]!)).toMatchObject({ status: 404, code: "NOT_FOUND" })
    }
    for (const path of ["/dashboard", "/dashboard/", "/dashboard/app.js", "/dashboard/nothing.js"]) {
      const answer = await ask("DELETE", path, fields)
      expect(answer).toMatch(/^HTTP\/1\.1 405 [\s\S]*Allow: GET, HEAD\r\n[\s\S]*"code":"METHOD_NOT_ALLOWED"/)
    }
  }
  expect(await ask("GET", "/dashboards", "Host: x\r\n")).toMatch(/^HTTP\/1\.1 401 /)
})
