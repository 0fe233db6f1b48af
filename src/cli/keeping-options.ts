import { DEFAULT_HISTORY_SEGMENTS, STORE_BOUNDS } from "../embedded/store-bounds.js"
import { parseDurationArgument } from "../policy/parse-duration.js"
import type { CommandCall, CommandOption } from "./command.js"
import { flagOption, textOption, wholeOption } from "./option-values.js"

/** What a compaction of a folder leaves, as a command takes it. */
export const KEEPING_OPTIONS: Readonly<Record<"history-segments" | "keep-stats" | "no-names", CommandOption>> = {
  "history-segments": {
    type: "string",
    value: "N",
    description: `Segments that a compaction keeps as history (default ${DEFAULT_HISTORY_SEGMENTS}).`,
  },
  "keep-stats": {
    type: "string",
    value: "DURATION",
    description: "How long a compaction keeps statistics and names (default 30d).",
  },
  "no-names": { type: "boolean", description: "Keep no names of keys: none are listed." },
}

/** The same, as opening a folder takes it. */
export interface Keeping {
  readonly historySegments?: number
  /** In ms. */
  readonly keepStats?: number
  readonly names: boolean
}

/** @throws {UsageError} {RangeError} where one cannot be */
export function keepingOf(call: Pick<CommandCall, "options">): Keeping {
  const historySegments = wholeOption(call, "history-segments", ...STORE_BOUNDS.historySegments)
  const text = textOption(call, "keep-stats")
  return {
    names: !flagOption(call, "no-names"),
    ...(historySegments !== undefined && { historySegments }),
    ...(text !== undefined && { keepStats: parseDurationArgument("run", "--keep-stats", text) }),
  }
}
