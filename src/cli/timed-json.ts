/** Something at a time, as machines read it from every command: ISO 8601 in UTC, under `at`, as the API tells times. */
export function timedJson<T extends { readonly atMs: number }>({ atMs, ...rest }: T) {
  return { at: new Date(atMs).toISOString(), ...rest }
}
