// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be shown
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu

/**
 * A text that a terminal only shows: what could move its cursor, change its colours or turn the direction of writing
 * is spelled out.
 */
export function plainText(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** The same, cut to a width with an ellipsis. */
export function cutText(text: string, width: number): string {
  const plain = [...plainText(text)]
  return plain.length <= width ? plain.join("") : `${plain.slice(0, Math.max(0, width - 1)).join("")}…`
}
