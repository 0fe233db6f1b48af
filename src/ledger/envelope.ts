import { StoreCorrupt, StoreVersion } from "../types/errors.js"
import { ByteReader, MalformedBytes } from "./byte-reader.js"
import { ByteWriter } from "./byte-writer.js"
import type { LedgerPort } from "./sql-port.js"

/** The storage format that this version writes, and the only one that it reads. */
export const FORMAT = 1
export const HASH_BYTES = 32

/*
 * Every row is an envelope:
 *
 *   │ kind u8 │ format u8 │ content … │ SHA-256 of all before (32) │
 *
 * so that a row tells what it is and whether it is whole before anything of it is believed.
 */
export const KIND = { meta: 0x4d, snapshot: 0x53, segment: 0x4c } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

/** A row that was sealed with its hash, and the hash. */
export interface Sealed {
  readonly body: Uint8Array
  readonly hash: Uint8Array
}

/** Starts a row of a kind. */
export function beginRow(kind: Kind): ByteWriter {
  const writer = new ByteWriter()
  writer.u8(kind)
  writer.u8(FORMAT)
  return writer
}

/** Ends a row with its hash. Nothing can be written to it any more. */
export async function sealRow(port: LedgerPort, writer: ByteWriter): Promise<Sealed> {
  const body = writer.end(HASH_BYTES)
  const hash = await port.sha256(body.subarray(0, body.length - HASH_BYTES))
  body.set(hash, body.length - HASH_BYTES)
  return { body, hash }
}

/**
 * Opens a row: checks its hash, its kind and its format, and reads its content with `read`, which must use it up.
 *
 * @param row what an error calls the row, such as `"segment 17"`
 * @throws {StoreCorrupt} where the row is not what was written, {StoreVersion} where a newer version wrote it
 */
export async function openRow<T>(
  port: LedgerPort,
  row: string,
  kind: Kind,
  body: Uint8Array,
  read: (reader: ByteReader) => T,
): Promise<{ content: T; hash: Uint8Array }> {
  if (body.length < HASH_BYTES + 2) throw new StoreCorrupt(row, `it has ${body.length} bytes`)
  const hashed = body.subarray(0, body.length - HASH_BYTES)
  const hash = await port.sha256(hashed)
  if (!sameBytes(hash, body.subarray(body.length - HASH_BYTES))) throw new StoreCorrupt(row, "its SHA-256 differs")
  const reader = new ByteReader(hashed)
  if (reader.u8() !== kind) throw new StoreCorrupt(row, "it is a row of another kind")
  const format = reader.u8()
  if (format === 0) throw new StoreCorrupt(row, "its format is 0")
  if (format !== FORMAT) throw new StoreVersion(format, FORMAT)
  try {
    const content = read(reader)
    if (!reader.atEnd) throw new MalformedBytes("it goes on after its end")
    return { content, hash }
  } catch (error) {
    if (error instanceof MalformedBytes) throw new StoreCorrupt(row, error.message)
    throw error
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
