import { close, closeSync, constants, existsSync, fsync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs"
import { HASH_BYTES, sameBytes } from "../ledger/envelope.js"
import { GrowingHash } from "../ledger/growing-hash.js"
import type { LogEnd } from "../ledger/log-end.js"
import { linkFound } from "./store-files.node.js"

/*
 * The witness is a file of one sector beside the log:
 *
 *   │ magic u32 │ 0 u32 │ sequence f64 │ records f64 │ hash of the meta row (32) │ SHA-256 of all before, its first 8 │
 *
 * It is overwritten after each commit, without a sync of its own. So it never tells more than the log once reached, but
 * after a power loss perhaps less; a damaged one tells nothing.
 */
const MAGIC = 0x45554c53
const SEQUENCE_AT = 8
const COUNT_AT = 16
const META_AT = 24
const CHECKSUM_AT = META_AT + HASH_BYTES
const WITNESS_BYTES = CHECKSUM_AT + 8

/**
 * No link is followed, one neither that was made since the files were looked at. Windows lets only few make any, and
 * has no such flag.
 */
const NO_LINK = constants.O_NOFOLLOW ?? 0

/**
 * Notes how far the log reached, so that a log that lost its last commits is not taken for one that never had them.
 * SQLite itself cannot tell: a write-ahead log that is missing or cut looks like one that was never written.
 */
export class Witness {
  readonly #path: string
  readonly #bytes = new Uint8Array(WITNESS_BYTES)
  readonly #view = new DataView(this.#bytes.buffer)
  #file: number | null = null
  #isNoted = false

  constructor(path: string) {
    this.#path = path
    this.#view.setUint32(0, MAGIC, true)
  }

  /** Opens the file where there is one, so that one that cannot be written is known before anything is told. */
  open(): void {
    this.#file ??= unlessMissing(() => openUnlinked(this.#path, constants.O_WRONLY)) ?? null
  }

  /** Whether there is one, damaged or not. It is made after the log, so that without a log there is none. */
  get exists(): boolean {
    return existsSync(this.#path)
  }

  /**
   * How far the log is known to reach; `undefined` where there is no witness, or a damaged one.
   *
   * @throws {StoreUnavailable} where it is a link
   */
  read(): LogEnd | undefined {
    const bytes = unlessMissing(() =>
      withoutLink(this.#path, () => readFileSync(this.#path, { flag: constants.O_RDONLY | NO_LINK })),
    )
    if (bytes?.length !== WITNESS_BYTES) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const isIntact = checksumOf(bytes).every((byte, at) => byte === bytes[CHECKSUM_AT + at])
    if (view.getUint32(0, true) !== MAGIC || !isIntact) return undefined
    return {
      sequence: view.getFloat64(SEQUENCE_AT, true),
      count: view.getFloat64(COUNT_AT, true),
      metaHash: bytes.slice(META_AT, CHECKSUM_AT),
    }
  }

  /** Whether the file tells what was noted last, where anything was. */
  get isKept(): boolean {
    if (!this.#isNoted) return true
    try {
      return sameBytes(readFileSync(this.#path), this.#bytes)
    } catch {
      return false
    }
  }

  note({ sequence, count, metaHash }: LogEnd): void {
    this.#view.setFloat64(SEQUENCE_AT, sequence, true)
    this.#view.setFloat64(COUNT_AT, count, true)
    this.#bytes.set(metaHash, META_AT)
    this.#bytes.set(checksumOf(this.#bytes), CHECKSUM_AT)
    this.#isNoted = true
    this.#file ??= openUnlinked(this.#path, constants.O_CREAT | constants.O_WRONLY)
    writeSync(this.#file, this.#bytes, 0, WITNESS_BYTES, 0)
  }

  /**
   * Brings it to the disk where that can be done, and lets the file go. What was told is in the log, with or without
   * it.
   */
  close(): void {
    const file = this.#file
    if (file === null) return
    this.#file = null
    for (const end of [fsyncSync, closeSync]) {
      try {
        end(file)
      } catch {
        // What is lost of it is told when the store is opened next.
      }
    }
  }

  /** `close` beside the thread of the event loop. Resolves when it is done. */
  closeBeside(): Promise<void> {
    const file = this.#file
    if (file === null) return Promise.resolve()
    this.#file = null
    return new Promise((resolve) => fsync(file, () => close(file, () => resolve())))
  }
}

/** Opens a file that is none behind a link. @throws {StoreUnavailable} where it is one */
function openUnlinked(path: string, flags: number): number {
  return withoutLink(path, () => openSync(path, flags | NO_LINK, 0o600))
}

/** Runs `work`, which follows no link. @throws {StoreUnavailable} where it met one */
function withoutLink<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // FreeBSD has a code of its own for it.
    if (NO_LINK === 0 || (code !== "ELOOP" && code !== "EMLINK")) throw error
    throw linkFound(path, { cause: error })
  }
}

/** What `work` gives; `undefined` where the file is missing. */
function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined
    throw error
  }
}

/** A platform's own hash takes longer to begin than this one takes. */
const sha256 = new GrowingHash()

function checksumOf(bytes: Uint8Array): Uint8Array {
  return sha256.of(bytes.subarray(0, CHECKSUM_AT), 0).subarray(0, WITNESS_BYTES - CHECKSUM_AT)
}
