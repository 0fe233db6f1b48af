import { columnsOf } from "./text-width.js"

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/**
 * A text that a terminal only shows: what could move its cursor, change its colours or turn the direction of writing,
 * and what cannot be seen at all, is spelled out.
 */
export function plainText(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** The same, cut with an ellipsis to a width in columns. */
export function cutText(text: string, width: number): string {
  const plain = plainText(text)
  let kept = ""
  let columns = 0
  for (const character of plain) {
    columns += columnsOf(character)
    if (columns > width) return `${kept}…`
    // Room for the ellipsis.
    if (columns < width) kept += character
  }
  return plain
}
