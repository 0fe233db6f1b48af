/** Turns a key into the bytes that clients may see of it. */
export type PartitionKeyHasher = (key: string) => Promise<Uint8Array>

const LEAST_SECRET_BYTES = 16

/**
 * Makes the `pk` of the RateLimit fields: HMAC-SHA-256 of the key under a secret, 32 bytes. Clients can tell their
 * quotas apart by it. A bare hash would not do: whoever holds one can try all addresses until it fits.
 *
 * @param secret at least 16 bytes, a text as UTF-8; the same on every machine, or a client's `pk` changes
 * @throws {RangeError} where the secret is shorter
 */
export function partitionKeyHasher(secret: string | Uint8Array<ArrayBuffer>): PartitionKeyHasher {
  const encoder = new TextEncoder()
  const bytes = typeof secret === "string" ? encoder.encode(secret) : secret
  if (bytes.length < LEAST_SECRET_BYTES) {
    throw new RangeError(
      `Cannot rate limit: partitionSecret has ${bytes.length} bytes, allowed are ${LEAST_SECRET_BYTES} or more.`,
    )
  }
  let imported: CryptoKey | undefined
  return async (key) => {
    // Not at construction, since Workers forbid asynchronous work in the global scope; and the key is kept, not its
    // promise, since there no request may wait for another's.
    imported ??= await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
    return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(key)))
  }
}
