import { readReceipt } from "../../types/api-json.js"
import { jsonAnswer } from "../answers.js"
import { receipt, units } from "../fields.js"
import { defineRoute, jsonOf } from "../route.js"
import { object, optional } from "../schema.js"
import { done } from "./done.js"

export const refund = defineRoute({
  method: "POST",
  path: "/v1/refund",
  id: "refund",
  summary: "Give back units of a check, all of them if not told otherwise. A receipt settles once.",
  body: object({ receipt, units: optional(units) }),
  answer: jsonOf(done, "It is settled, now or before."),
  async handle({ limits }, { body }) {
    await limits.refund(readReceipt(body.receipt), body.units)
    return jsonAnswer({ ok: true })
  },
})

export const settle = defineRoute({
  method: "POST",
  path: "/v1/settle",
  id: "settle",
  summary: "Tell what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once.",
  body: object({ receipt, cost: units }),
  answer: jsonOf(done, "It is settled, now or before."),
  async handle({ limits }, { body }) {
    await limits.settle(readReceipt(body.receipt), body.cost)
    return jsonAnswer({ ok: true })
  },
})
