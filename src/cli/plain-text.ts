const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/**
 * A text that a terminal only shows: what could move its cursor, change its colours or turn the direction of writing,
 * and what cannot be seen at all, is spelled out.
 */
export function plainText(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** The same, cut to a width with an ellipsis. */
export function cutText(text: string, width: number): string {
  const plain = [...plainText(text)]
  return plain.length <= width ? plain.join("") : `${plain.slice(0, Math.max(0, width - 1)).join("")}…`
}
