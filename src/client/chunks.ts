/**
 * What arrives of a body, which is cancelled when its reader leaves or waits no longer.
 *
 * @param wait how each next part is waited for
 */
export async function* chunks(
  body: ReadableStream<Uint8Array>,
  wait: <T>(part: Promise<T>) => Promise<T>,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await wait(reader.read())
      if (done) return
      yield value
    }
  } finally {
    // Of a stream that broke it fails, of one that heeds nothing it does not end: a reader that has left wants neither.
    reader.cancel().catch(() => undefined)
  }
}
