import { readFileSync } from "node:fs"
import { show } from "../types/errors.js"
import { UsageError } from "./usage-error.js"

/** Why the system refuses a path, where that is of the path. What else goes wrong is no fault of the command line. */
const REASONS: ReadonlyMap<unknown, string> = new Map([
  ["ENOENT", "there is no such file or folder"],
  ["EISDIR", "it is a folder"],
  ["ENOTDIR", "a part of its path is no folder"],
  ["EACCES", "this user may not"],
  ["EPERM", "this user may not"],
  ["EROFS", "its file system is read-only"],
  ["ENXIO", "it is a pipe that nobody reads from, or a socket"],
])

/**
 * Uses a file that the command line names.
 *
 * @param what such as `"read --config"`
 * @throws {UsageError} where there is no such file, or it may not be used so; else what `use` throws
 */
export function withNamedFile<T>(what: string, path: string, use: (path: string) => T): T {
  try {
    return use(path)
  } catch (error) {
    const reason = REASONS.get((error as { code?: unknown }).code)
    if (reason === undefined) throw error
    throw new UsageError(`Cannot ${what} ${show(path)}: ${reason}.`)
  }
}

/** The text of a file that an option names. @throws {UsageError} where it cannot be read */
export function readNamedFile(option: string, path: string): string {
  return withNamedFile(`read ${option}`, path, (file) => readFileSync(file, "utf8"))
}
