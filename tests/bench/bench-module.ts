/**
 * Imports a module of `bench/`. Those are plain JavaScript without declarations, so the test says what it uses of it.
 *
 * @param path under `bench/`
 */
export async function benchModule<T>(path: string): Promise<T> {
  return (await import(new URL(`../../bench/${path}`, import.meta.url).href)) as T
}
