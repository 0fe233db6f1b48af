/** A text with its percent-encoding decoded; as it is where that cannot be, as servers and parsers of cookies leave it. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
