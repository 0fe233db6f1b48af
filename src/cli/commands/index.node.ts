import type { Command } from "../command.js"
import { check, limitCheck, limitCheckAll } from "./check.js"
import { clear } from "./clear.js"
import { completionCommand } from "./completion.js"
import { doctor } from "./doctor.js"
import { explain } from "./explain.js"
import { init } from "./init.node.js"
import { limitAdd } from "./limit-add.js"
import {
  limitBlock,
  limitHistory,
  limitList,
  limitRemove,
  limitReset,
  limitStatus,
  limitTop,
  limitUnblock,
} from "./limits.js"
import { logCompact, logExport, logTail, logVerify } from "./log.js"
import { monitor } from "./monitor.js"
import { repair } from "./repair.node.js"
import { serve } from "./serve.node.js"
import { limitCharge, limitRefund, limitSettle } from "./settle.js"
import { simulate } from "./simulate.js"

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  init,
  serve,
  check,
  explain,
  monitor,
  limitAdd,
  limitList,
  limitStatus,
  limitCheck,
  limitCheckAll,
  limitRefund,
  limitSettle,
  limitCharge,
  limitReset,
  limitBlock,
  limitUnblock,
  limitRemove,
  limitHistory,
  limitTop,
  logTail,
  logVerify,
  logCompact,
  logExport,
  doctor,
  repair,
  clear,
  simulate,
  completionCommand(() => COMMANDS),
]
