import { describe } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { declareNamedLimitsCases } from "./declare-named-limits-cases.js"

const TOKEN = "a-token-for-the-tests"

describe("SluiceClient over the API", () => {
  declareNamedLimitsCases(({ clock, limits }) => {
    const served = new MemoryLimits({ clock, limits, stats: true, names: 1_000, history: 20 })
    const api = createApi({ limits: served, token: TOKEN, clock })
    return new SluiceClient("http://limits.test", {
      token: TOKEN,
      fetch: (url, init) => api.fetch(new Request(url, init)),
    })
  })
})
