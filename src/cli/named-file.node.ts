import { isUtf8 } from "node:buffer"
import { closeSync, openSync, readSync } from "node:fs"
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

/** A megabyte holds some ten thousand limits. */
const MAX_TEXT_BYTES = 16 * 2 ** 20
const PART_BYTES = 65_536

/**
 * The text of a file that an option names, or of a pipe.
 *
 * @throws {UsageError} where it cannot be read, is longer than 16 MiB, as a device may be without end, or is no UTF-8:
 * replaced, two names could become one
 */
export function readNamedFile(option: string, path: string): string {
  const bytes = withNamedFile(`read ${option}`, path, readBounded)
  if (bytes === null) {
    throw new UsageError(`Cannot read ${option} ${show(path)}: it is longer than ${MAX_TEXT_BYTES} bytes.`)
  }
  if (!isUtf8(bytes)) throw new UsageError(`Cannot read ${option} ${show(path)}: it is no UTF-8.`)
  return bytes.toString("utf8")
}

/** `null` where it is longer than a text may be. */
function readBounded(path: string): Buffer | null {
  const file = openSync(path, "r")
  try {
    const parts: Buffer[] = []
    for (let bytes = 0; bytes <= MAX_TEXT_BYTES; ) {
      const part = Buffer.allocUnsafe(PART_BYTES)
      const read = readSync(file, part)
      if (read === 0) return Buffer.concat(parts)
      parts.push(part.subarray(0, read))
      bytes += read
    }
    return null
  } finally {
    closeSync(file)
  }
}
