import { planRepair, repair as repairFolder } from "../../embedded/repair.node.js"
import { show } from "../../types/errors.js"
import type { Command, CommandCall } from "../command.js"
import { DATA_DIR_OPTION } from "../common-options.js"
import { EXIT } from "../exit-code.js"
import { formatCount } from "../format.js"
import { isDataDir, onlyDataDirOf } from "../open-target.node.js"
import { flagOption } from "../option-values.js"
import { write } from "../output.js"
import { plainText } from "../plain-text.js"
import { UsageError } from "../usage-error.js"

/** What the command tells, of what it did and of what it would do. */
interface Told {
  readonly path: string
  /** Whether the folder needs a repair, or needed it. */
  readonly isNeeded: boolean
  readonly isRepaired: boolean
  readonly keptRecords: number
  /** Those of them that the snapshot stands for. */
  readonly keptHistoryRecords: number
  readonly keptSnapshot: boolean
  readonly gaveUp: readonly string[]
  /** Whether nothing that keys have used is among that. */
  readonly keptState: boolean
  readonly asidePath: string | null
}

export const repair: Command = {
  name: "repair",
  summary: "Make a damaged data folder open again. Without --yes it only tells what it would do.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: null,
  options: {
    "data-dir": DATA_DIR_OPTION,
    yes: {
      type: "boolean",
      short: "y",
      description: "Do it. Without this nothing is changed, and a fault is exit code 1.",
    },
  },
  examples: ["sluice repair", "sluice repair --data-dir /var/lib/sluice --yes"],
  async run(call) {
    const path = onlyDataDirOf(call, "a repair is of a folder that nobody has open")
    if (!isDataDir(path)) throw new UsageError(`Cannot repair ${show(path)}: it is no data folder.`)
    const told = flagOption(call, "yes") ? await repairNow(path) : await plan(path)
    write(call, told, () => inWords(call, told))
    return told.isNeeded && !told.isRepaired ? EXIT.failed : EXIT.ok
  },
}

async function repairNow(path: string): Promise<Told> {
  const done = await repairFolder(path)
  return { ...done, isNeeded: done.isRepaired }
}

async function plan(path: string): Promise<Told> {
  const { givesUp, ...planned } = await planRepair(path)
  return { ...planned, isRepaired: false, gaveUp: givesUp, asidePath: null }
}

function kept({ keptRecords, keptHistoryRecords, keptSnapshot }: Told): string {
  const since = formatCount(keptRecords - keptHistoryRecords, "record")
  if (!keptSnapshot) return since
  const history = keptHistoryRecords === 0 ? "" : ` (before it ${formatCount(keptHistoryRecords, "record")} of history)`
  return `a snapshot, and after it ${since}${history}`
}

function inWords({ style }: CommandCall, told: Told): string {
  const { path, isNeeded, isRepaired, gaveUp, keptState, asidePath } = told
  const folder = plainText(path)
  const records = kept(told)
  if (!isNeeded) return `${folder} is ${style.green("right")}: ${records}, nothing to repair\n`
  const aside = isRepaired
    ? (asidePath ?? "nothing, as no file was there")
    : `the files as they are, in a folder of ${path}`
  const lines = [
    ["kept", records],
    ...gaveUp.map((what, index) => [index === 0 ? "given up" : "", what]),
    ["set aside", aside],
  ]
  const list = lines.map(([name, value]) => `  ${style.dim(name!.padEnd(10))} ${plainText(value!)}\n`).join("")
  if (isRepaired) {
    const loss = keptState
      ? "Nothing that keys have used was given up."
      : "Keys may be admitted again what they had used in what was given up."
    return `${folder} is ${style.green("repaired")}:\n${list}${loss}\n`
  }
  return `${folder} is ${style.red("damaged")}. A repair would do this:\n${list}Nothing was changed: with --yes it is done.\n`
}
