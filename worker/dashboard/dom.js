/**
 * Makes an element. Texts become text nodes: a key from outside is never read as HTML.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] attributes; functions under `onclick` and the like are listeners
 * @param {(Node | string | null)[]} children
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value))
  }
  element.append(...children.filter((child) => child !== null))
  return element
}

/** Writes a text where it is another: a screen reader would read it anew, and a selection of it be lost. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

// Characters that could turn the direction of a line or hide in it, and blanks other than a space; a page shows what
// they are. So it does with a space that is first or last or beside another, which a page and a screen reader leave
// out.
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|^ | $|(?<= ) | (?= )/gu

/** A text from outside, with what cannot be seen spelled out, cut to a length. */
export function shown(text, length = 200) {
  const plain = text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`)
  return plain.length > length ? `${plain.slice(0, length)}…` : plain
}

/** A text of which a part may be spelled out as `shown` does it. */
export function unspelled(text) {
  return text.replace(/\\u\{(10[\da-f]{4}|[\da-f]{1,5})\}/g, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
}

export function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 })
}

/** A time in the reader's own zone. */
export function time(text) {
  return text === null ? "–" : new Date(text).toLocaleString()
}

/** @param {{ title: string, kind?: string }[]} columns @param {(Node | string)[][]} rows */
export function table(caption, columns, rows, empty) {
  const body =
    rows.length > 0
      ? rows.map((row) => h("tr", {}, ...row.map((cell, index) => h("td", { class: columns[index].kind }, cell))))
      : [h("tr", {}, h("td", { colspan: columns.length, class: "faint" }, empty))]
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", {}, h("h2", {}, caption)),
      h("thead", {}, h("tr", {}, ...columns.map(({ title, kind }) => h("th", { scope: "col", class: kind }, title)))),
      h("tbody", {}, ...body),
    ),
  )
}
