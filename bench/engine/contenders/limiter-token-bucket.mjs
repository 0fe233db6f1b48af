// The package knows no keys: a bucket each, in a Map, is how it is used for many.
import { TokenBucket } from "limiter"
import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"

export function make({ limit, burst, periodMs }) {
  const buckets = new Map()
  const add = (key) => {
    const bucket = new TokenBucket({ bucketSize: burst, tokensPerInterval: limit, interval: periodMs })
    bucket.content = burst // a new one is empty
    buckets.set(key, bucket)
    return bucket
  }
  return {
    run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const key = keyAt(position)
        const bucket = buckets.get(key) ?? add(key)
        kept.answer = bucket
        if (bucket.tryRemoveTokens(1)) admitted++
      }
      return admitted
    },
    size: () => buckets.size,
  }
}
