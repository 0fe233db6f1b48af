import { lstatSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { StoreUnavailable, show } from "../types/errors.js"
import type { WalFile } from "./wal-file.node.js"

/** Looking costs a few microseconds; a store that is busy commits some thousand times as often. */
const LOOK_EVERY_MS = 1_000

/**
 * Which file lies at a path, or which link; `null` where none does. It is not opened. @throws where that cannot be
 * looked at
 */
export function fileIdentity(file: string): string | null {
  const found = lstatSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}

/** What lies at a path; `undefined` where that cannot be looked at, which says nothing about the file that is open. */
function seenAt(file: string): string | null | undefined {
  try {
    return fileIdentity(file)
  } catch {
    return undefined
  }
}

/**
 * Files that are open, to be found at their paths for as long as they are. The system lets a process write on into a
 * file that was deleted or moved, and what is written then is not where the next one looks for it. Nor may the
 * write-ahead log be written to by others: SQLite goes on behind what they cut off, and knows of its pages by heart.
 */
export class OpenFiles {
  /** By path; `null` for one that was never seen there. */
  readonly #identities: Map<string, string | null>
  readonly #wal: WalFile
  #lookedAtMs = performance.now()

  constructor(files: readonly string[], wal: WalFile) {
    this.#wal = wal
    this.#identities = new Map(files.map((file) => [file, fileIdentity(file)]))
  }

  /**
   * What became of the first file that is not at its path any more, or of the write-ahead log; `null` where all is
   * right.
   */
  findLost(): string | null {
    this.#lookedAtMs = performance.now()
    for (const [file, identity] of this.#identities) {
      const found = seenAt(file)
      if (found === undefined) continue
      if (identity === null) this.#identities.set(file, found)
      else if (found !== identity) return `the file ${show(file)} was deleted, moved or replaced while it was open`
    }
    return this.#wal.findDamage()
  }

  /**
   * @throws {StoreUnavailable} where one is not at its path any more, or the write-ahead log is not what was written
   */
  require(): void {
    const lost = this.findLost()
    if (lost !== null) throw new StoreUnavailable(lost)
  }

  /**
   * `require`, for whoever comes often: beside the length of the write-ahead log it looks at most once a second.
   *
   * @throws {StoreUnavailable}
   */
  requireNowAndThen(): void {
    if (this.#wal.isCut || performance.now() - this.#lookedAtMs >= LOOK_EVERY_MS) this.require()
  }
}
