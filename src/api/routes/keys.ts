import { jsonAnswer } from "../answers.js"
import { duration, key, limitName, units } from "../fields.js"
import { defineRoute, jsonOf } from "../route.js"
import { component, flag, object, optional } from "../schema.js"
import { done } from "./done.js"

const ofKey = { key, limit: optional(limitName) }

export const reset = defineRoute({
  method: "POST",
  path: "/v1/reset",
  id: "reset",
  summary: "Make a key's quota full and end its block.",
  body: object(ofKey),
  answer: jsonOf(component("Reset", object({ ok: flag(), reset: flag() })), "Whether there was anything to forget."),
  async handle({ limits }, { body: { key: of, ...choice } }) {
    return jsonAnswer({ ok: true, reset: await limits.reset(of, choice) })
  },
})

export const block = defineRoute({
  method: "POST",
  path: "/v1/block",
  id: "block",
  summary: "Deny a key for a time from now, in place of an earlier block.",
  body: object({ ...ofKey, duration }),
  answer: jsonOf(done, "It is blocked."),
  async handle({ limits }, { body: { key: of, duration: time, ...choice } }) {
    await limits.block(of, time, choice)
    return jsonAnswer({ ok: true })
  },
})

export const unblock = defineRoute({
  method: "POST",
  path: "/v1/unblock",
  id: "unblock",
  summary: "End a block.",
  body: object(ofKey),
  answer: jsonOf(
    component("Unblock", object({ ok: flag(), unblocked: flag() })),
    "Whether there was one that still lasted.",
  ),
  async handle({ limits }, { body: { key: of, ...choice } }) {
    return jsonAnswer({ ok: true, unblocked: await limits.unblock(of, choice) })
  },
})

export const charge = defineRoute({
  method: "POST",
  path: "/v1/charge",
  id: "charge",
  summary: "Take units whatever is left: a penalty, which may put the key into debt.",
  body: object({ ...ofKey, units }),
  answer: jsonOf(done, "They are taken."),
  async handle({ limits }, { body: { key: of, units: taken, ...choice } }) {
    await limits.charge(of, taken, choice)
    return jsonAnswer({ ok: true })
  },
})
