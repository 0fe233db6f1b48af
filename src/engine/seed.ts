/** 128 bits that key the hash of a limit's keys. A secret: who knows it can aim at cells. */
export type Seed = readonly [number, number, number, number]

/** A random seed. Not for the global scope of a Worker, where there is no randomness. */
export function randomSeed(): Seed {
  const words = crypto.getRandomValues(new Uint32Array(4))
  return [words[0]!, words[1]!, words[2]!, words[3]!]
}

/** A random id of 64 bits, 11 to 14 characters of base 36. Not for the global scope of a Worker. */
export function randomId(): string {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2))
  return `${low!.toString(36)}${high!.toString(36).padStart(7, "0")}`
}
