/** The longest body that is read. */
export const MAX_BODY_BYTES = 65_536

/**
 * A request as the API reads it. Smaller than a `Request`, so that a server which has the parts already, as Node's has,
 * need not make one for every check.
 */
export interface ApiRequest {
  readonly method: string
  /** Percent-encoded, as it came. */
  readonly path: string
  /** Without the question mark. */
  readonly query: string
  /** The host that the client named, without its port; `null` where it named none. */
  readonly host: string | null
  /** The address of the connection, `null` where it is unknown. */
  readonly address: string | null
  /** The value of a header field by its name in lower case. */
  header(name: string): string | null
  /**
   * The body, at once where it has arrived.
   *
   * @throws {RequestError} 413 where it is longer than `maxBytes`; no more of it is read then
   */
  body(maxBytes: number): string | Promise<string>
  /** Aborted when the client is gone. */
  readonly signal?: AbortSignal
}

/** What the API answers. */
export interface ApiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | ReadableStream<Uint8Array> | null
}
