import { realpathSync } from "node:fs"
import { StoreLocked, show } from "../types/errors.js"

/*
 * The folders that this thread has open, by their real paths. A POSIX lock belongs to the process: whoever opens a
 * locked file once more in it and closes that again has ended the lock. So nobody may even look into a file of these.
 * Another thread knows nothing of them, and is refused by SQLite, which minds its own locks in the whole process.
 */
const openFolders = new Set<string>()

/**
 * Notes that this thread opens a folder, which must be there.
 *
 * @returns ends it; further calls do nothing
 * @throws {StoreLocked} where it has it open already; then no file was touched
 */
export function claimFolder(path: string): () => void {
  const realPath = realpathSync.native(path)
  if (openFolders.has(realPath)) {
    const error = new StoreLocked(path)
    // Said here: applications without a store ship the class too.
    error.message = `Cannot open the store ${show(path)}: this process has it open already.`
    throw error
  }
  openFolders.add(realPath)
  let isOurs = true
  return () => {
    if (isOurs) openFolders.delete(realPath)
    isOurs = false
  }
}
