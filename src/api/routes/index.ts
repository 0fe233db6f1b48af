import type { Route } from "../route.js"
import { check, checkAll, peek } from "./checks.js"
import { document } from "./document.js"
import { events } from "./events.js"
import { explainKey, history, keys, postExplain, postHistory, top } from "./insight.js"
import { block, charge, reset, unblock } from "./keys.js"
import { define, list, postRemove, postStatus, readStatus, removeLimit } from "./limits.js"
import { compact, doctor, flush, health, metricsText, totals, verify } from "./operations.js"
import { refund, settle } from "./settlements.js"

/** Every endpoint of the API, in the order of its document. */
export const ROUTES: readonly Route[] = [
  health,
  list,
  define,
  readStatus,
  removeLimit,
  postStatus,
  postRemove,
  check,
  peek,
  checkAll,
  refund,
  settle,
  charge,
  reset,
  block,
  unblock,
  keys,
  history,
  postHistory,
  top,
  explainKey,
  postExplain,
  totals,
  events,
  flush,
  compact,
  verify,
  doctor,
  metricsText,
  document,
]
