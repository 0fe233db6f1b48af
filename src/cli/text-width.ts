/**
 * What is set on the character before it: it takes no column of its own. Vowels and finals of Hangul join their
 * syllable.
 */
const JOINING = /^[\p{Mn}\p{Me}\u1160-\u11ff]$/u

/**
 * What a terminal draws in two columns: East_Asian_Width W and F of Unicode (UAX #11), with what is not assigned
 * between them, and emoji. Of a flag each half takes one.
 */
const WIDE =
  /^(?:(?!\p{Regional_Indicator})\p{Emoji_Presentation}|[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2fb}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}])$/u

/** How many columns a terminal takes for a character. */
export function columnsOf(character: string): 0 | 1 | 2 {
  if (character < "\u0300") return 1
  if (JOINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** How many columns a terminal takes for a text that has nothing to obey in it. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}
