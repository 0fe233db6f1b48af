// The keys of all workloads: 30 characters such as "tenant-5gx1k0m:account-0zt93qe", each two halves of 15, so that
// the same key can be cut from a text, joined from its halves, or copied from bytes.

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
const BITS_PER_CHARACTER = 5
const WORD_LENGTH = 7

/** Characters, and bytes, of a key. */
export const KEY_LENGTH = 30
/** A key's number is `back * 2 ** FRONT_BITS + front`. */
export const FRONT_BITS = 10

/** A permutation of the 32-bit numbers that looks random: MurmurHash3's finaliser. */
function scramble(number) {
  let mixed = number
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** Seven characters, different for different numbers below 2^32. */
function word(number) {
  const mixed = scramble(number)
  let text = ""
  for (let index = 0; index < WORD_LENGTH; index++) {
    text += ALPHABET[Math.floor(mixed / 2 ** (BITS_PER_CHARACTER * index)) % ALPHABET.length]
  }
  return text
}

/** The first halves, every one that there is. */
export const fronts = () => Array.from({ length: 2 ** FRONT_BITS }, (_, index) => `tenant-${word(index)}:`)

/** As many second halves as `keys` keys need. */
export const backs = (keys) =>
  Array.from({ length: Math.ceil(keys / 2 ** FRONT_BITS) }, (_, index) => `account-${word(index)}`)

/** The text of the keys 0 … `keys` − 1, one after the other. */
export function keyText(keys) {
  const text = Buffer.alloc(keys * KEY_LENGTH)
  const [first, second] = [fronts(), backs(keys)]
  for (let key = 0; key < keys; key++) {
    text.latin1Write(first[key % first.length] + second[Math.floor(key / first.length)], key * KEY_LENGTH)
  }
  return text
}
