// The package knows no keys: a limiter each, in a Map, is how it is used for many.
import { RateLimiter } from "limiter"
import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"

export function make({ burst, periodMs }) {
  const limiters = new Map()
  const add = (key) => {
    const limiter = new RateLimiter({ tokensPerInterval: burst, interval: periodMs, fireImmediately: true })
    limiters.set(key, limiter)
    return limiter
  }
  return {
    run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const key = keyAt(position)
        const limiter = limiters.get(key) ?? add(key)
        kept.answer = limiter
        if (limiter.tryRemoveTokens(1)) admitted++
      }
      return admitted
    },
    size: () => limiters.size,
  }
}
