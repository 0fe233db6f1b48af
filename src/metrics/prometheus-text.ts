import type { Histogram } from "./histogram.js"

export type Labels = Readonly<Record<string, string>>

/** One value of a metric. */
export interface Sample {
  readonly labels?: Labels
  readonly value: number
}

/**
 * Writes the Prometheus text format, version 0.0.4: samples grouped by metric, each with HELP and TYPE.
 *
 * Label values may be any text: backslashes, quotes and line feeds are escaped as the format says, and other control
 * characters, which a terminal or a page could obey, are spelled out, so that different texts stay different.
 */
export class PrometheusText {
  #text = ""

  /** The Content-Type of the text. */
  static readonly contentType = "text/plain; version=0.0.4; charset=utf-8"

  /** Nothing is written where there are no samples. */
  add(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): this {
    if (samples.length === 0) return this
    this.#head(name, type, help)
    for (const { labels, value } of samples) this.#sample(name, labels, value)
    return this
  }

  addHistogram(name: string, help: string, histogram: Histogram): this {
    this.#head(name, "histogram", help)
    const counts = histogram.cumulative()
    for (const [index, bound] of histogram.bounds.entries()) {
      this.#sample(`${name}_bucket`, { le: String(bound) }, counts[index]!)
    }
    this.#sample(`${name}_bucket`, { le: "+Inf" }, histogram.count)
    this.#sample(`${name}_sum`, undefined, histogram.sum)
    this.#sample(`${name}_count`, undefined, histogram.count)
    return this
  }

  toString(): string {
    return this.#text
  }

  #head(name: string, type: string, help: string): void {
    this.#text += `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`
  }

  #sample(name: string, labels: Labels | undefined, value: number): void {
    const pairs = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
    this.#text += `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`
  }
}

function escapeLabel(text: string): string {
  return spelledOut(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
}

/**
 * Lone surrogates and control characters, line feeds aside; and the backslash of a text that only looks like one that
 * is spelled out.
 */
const UNSAFE = /(?!\n)\p{Cc}|[\p{Cs}\p{Zl}\p{Zp}]|\\(?=u\{)/gu

/** The text of a label with those as `\u{…}`. */
function spelledOut(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
