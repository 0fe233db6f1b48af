import { RecordedLimit } from "../src/engine/recorded-limit.js"
import type { TableOptions } from "../src/engine/table-options.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import type { Policy } from "../src/policy/policy.js"
import { sharedCore } from "./object-ledger.js"

/** A limit of which nothing is known, to be asked and dropped. */
const NO_KEYS: TableOptions = {
  maxKeys: 1,
  onFull: "deny-new",
  stats: true,
  seed: [0, 0, 0, 0],
  issuerId: "",
  sharesCore: true,
}

/** Hands a question a limit that nothing is stored of, and drops it then. */
export function withEmptyLimit<T>(name: string, policy: Policy, question: (limit: LedgerLimit) => T): T {
  const keys = new RecordedLimit(sharedCore(), policy, NO_KEYS)
  try {
    return question({ name, number: 0, policy, size: 0, openKeys: () => keys })
  } finally {
    keys.free()
  }
}
