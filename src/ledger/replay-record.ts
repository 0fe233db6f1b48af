import { parsePolicy } from "../policy/parse-policy.js"
import { MalformedBytes } from "./byte-reader.js"
import type { LedgerState } from "./ledger-state.js"
import type { OwnLimit } from "./own-limit.js"
import type { LogRecord } from "./record.js"

/**
 * Repeats a recorded change in a state.
 *
 * @throws {MalformedBytes} where the state decides otherwise than the record tells
 */
export function replayRecord(state: LedgerState, record: LogRecord): void {
  if (record.op === "open" || record.op === "close") {
    state.noteStore(record)
    return
  }
  if (record.op === "compact") {
    state.compact(record).run()
    return
  }
  const { timeMs } = record
  if (record.op === "settle") state.noteSettlement(timeMs)
  else state.noteUse(timeMs)
  if (record.op === "deny") state.noteUse(record.lastMs)
  if (record.op === "define") {
    const policy = parsePolicy(record.policy)
    if (state.keepsCells(record.name, policy) !== (record.keepsCells === true)) {
      throw new MalformedBytes("replay changes a policy otherwise")
    }
    const limit = state.define(record.name, policy, timeMs)
    if (limit.number !== record.limit) throw new MalformedBytes("a record defines a limit out of order")
    return
  }
  const limit = state.limitAt(record.limit)
  if (limit === undefined) throw new MalformedBytes("a record names a limit that was not defined")
  if (record.op === "remove") {
    state.remove(limit)
    return
  }
  replayOfKey(limit, record)
  if (state.keepsNames && record.op !== "ahead") limit.noteName(record.key)
}

function replayOfKey(limit: OwnLimit, record: Extract<LogRecord, { readonly key: string }>): void {
  const keys = limit.openKeys()
  const { key, timeMs } = record
  switch (record.op) {
    case "admit":
      if (!keys.allow(key, record.cost, timeMs)) throw new MalformedBytes("replay denies what was admitted")
      // The number of the receipt that `check` gave.
      keys.noteCharges(1)
      if (record.id !== undefined) {
        const { id, cost } = record
        const { charges: chargeNumber, decidedAtMs: chargedAtMs } = keys
        limit.admissionsLike(id).add({ id, key, cost, chargeNumber, calledAtMs: timeMs, chargedAtMs })
      }
      return
    case "deny":
      if (keys.allow(key, record.cost, timeMs)) throw new MalformedBytes("replay admits what was denied")
      keys.noteDenials(key, record.count - 1, record.cost, record.lastMs)
      return
    case "charge":
      keys.charge(key, record.cost, timeMs)
      return
    case "settle": {
      const { chargeNumber, chargedAtMs } = record
      if (!limit.settle({ key, chargedAtMs, chargeNumber }, record.units, timeMs))
        throw new MalformedBytes("replay does not settle what was settled")
      return
    }
    case "block":
      keys.block(key, record.untilMs, timeMs)
      return
    case "unblock":
      keys.unblock(key, record.timeMs)
      return
    case "reset":
      limit.reset(key, timeMs)
      return
    case "ahead":
      limit.grantAhead(key, record.units)
  }
}
