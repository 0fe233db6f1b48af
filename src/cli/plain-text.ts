import { columnsOf } from "./text-width.js"

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/**
 * A text that a terminal only shows: what could move its cursor, change its colours or turn the direction of writing,
 * and what cannot be seen at all, is spelled out.
 */
export function plainText(text: string): string {
  return spellOut(text, UNSAFE)
}

function spellOut(text: string, characters: RegExp): string {
  return text.replace(characters, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** Blanks other than a space, and spaces that are first, last or beside another. */
const BLANK = /\u2800|(?! )\p{Zs}|^ | $|(?<= ) | (?= )/gu

/**
 * `plainText` of a name, such as a key's, in which blanks that nobody would see among the others are spelled out too.
 */
export function plainName(name: string): string {
  return spellOut(plainText(name), BLANK)
}

/** A plain text, cut with an ellipsis to a width in columns. */
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
