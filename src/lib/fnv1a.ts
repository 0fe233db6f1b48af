/** Where FNV-1a begins. */
const OFFSET_BASIS = 0x811c9dc5

/**
 * FNV-1a of a text's UTF-16 units, an int32: quick, the same everywhere and always, and no guard against whoever looks
 * for two texts with the same hash.
 *
 * @param start another begin gives another hash of the same text
 * @param from the first unit that counts
 */
export function fnv1a(text: string, start: number = OFFSET_BASIS, from = 0): number {
  let hash = start
  for (let at = from; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
