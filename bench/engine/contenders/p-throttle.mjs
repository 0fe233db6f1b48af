// The package knows no keys: a throttled function each, in a Map, is how it would be used for many.
import pThrottle from "p-throttle"
import { keyAt } from "../key-source.mjs"

const admit = () => 1

export function make({ burst, periodMs }) {
  const throttled = new Map()
  const add = (key) => {
    const call = pThrottle({ limit: burst, interval: periodMs })(admit)
    throttled.set(key, call)
    return call
  }
  return {
    async run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const key = keyAt(position)
        admitted += await (throttled.get(key) ?? add(key))()
      }
      return admitted
    },
    size: () => throttled.size,
  }
}
