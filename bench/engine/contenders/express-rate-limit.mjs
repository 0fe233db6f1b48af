import { MemoryStore } from "express-rate-limit"
import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"

export function make({ burst, periodMs }) {
  const store = new MemoryStore()
  store.init({ windowMs: periodMs })
  return {
    async run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const client = await store.increment(keyAt(position))
        kept.answer = client
        if (client.totalHits <= burst) admitted++
      }
      return admitted
    },
  }
}
