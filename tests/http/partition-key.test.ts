import { createHmac } from "node:crypto"
import { describe, expect, test } from "vitest"
import { partitionKeyHasher } from "../../src/http/partition-key.js"

const SECRET = "correct horse battery staple"

describe("partitionKeyHasher()", () => {
  test.each(["ip:192.0.2.1", "", "ключ 🔑"])("is HMAC-SHA-256 of %j as OpenSSL computes it", async (key) => {
    const expected = new Uint8Array(createHmac("sha256", SECRET).update(key).digest())
    expect(await partitionKeyHasher(SECRET)(key)).toEqual(expected)
    expect(await partitionKeyHasher(new TextEncoder().encode(SECRET))(key)).toEqual(expected)
  })

  test("refuses a secret of less than 16 bytes", () => {
    expect(() => partitionKeyHasher("fifteen bytes..")).toThrow(/15 bytes/)
    expect(() => partitionKeyHasher("sixteen bytes...")).not.toThrow()
  })
})
