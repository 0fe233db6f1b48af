import { keyExtractorOf } from "../src/config/key-setting.js"
import { clientAddress } from "../src/http/keys/client-address.js"
import type { KeyExtractor } from "../src/http/keys/key-extractor.js"
import { SettingError } from "./setting-error.js"

/**
 * Makes the key extractor that a setting asks for, as `keyExtractorOf` does; `"address"` is the one that Cloudflare tells
 * in `CF-Connecting-IP`, IPv6 by its /56 network.
 *
 * @param field what an error calls the setting
 * @throws {SettingError} where there is no such key
 */
export function keyExtractor(field: string, setting: unknown): KeyExtractor {
  const refuse = (place: string, value: unknown, allowed: string) => new SettingError(place, value, allowed)
  return keyExtractorOf(field, setting, refuse, clientAddress({ header: "CF-Connecting-IP" }))
}
