import { readFileSync } from "node:fs"
import process from "node:process"

/** The descriptors that a server needs beside those of its connections: of its store, its log and its runtime. */
const OWN_DESCRIPTORS = 48

/**
 * How many connections the descriptors of this process have room for. Where they are used up, the runtime closes what
 * connects without a word, and the store cannot be opened anew. `Infinity` where the system does not tell.
 */
export function connectionRoom(limits = readLimits()): number {
  const most = /^Max open files +(\d+)/m.exec(limits)?.[1]
  return most === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Number(most) - OWN_DESCRIPTORS)
}

/** What Linux tells of the limits of this process; nothing elsewhere. */
function readLimits(): string {
  if (process.platform !== "linux") return ""
  try {
    return readFileSync("/proc/self/limits", "latin1")
  } catch {
    return ""
  }
}
