import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { LOG_FILE } from "../embedded/store-files.node.js"

/**
 * The bytes of a data folder's log, what SQLite keeps beside it included. `undefined` where that cannot be looked at,
 * as when the folder was moved away or the process is out of descriptors.
 */
export function bytesOnDisk(folder: string): number | undefined {
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(LOG_FILE))
      .reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
  } catch {
    return undefined
  }
}
