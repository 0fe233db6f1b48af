const MALFORMED = /%(?![\da-f]{2})/i

/**
 * A text with its percent-encoding decoded; as it is where that cannot be, as servers and parsers of cookies leave it.
 */
export function percentDecoded(text: string): string {
  // An error that is thrown and caught costs a client nothing, and more here than all the rest.
  if (MALFORMED.test(text)) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
