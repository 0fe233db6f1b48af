import type { RegistryTables, Row } from "./registry-tables.js"

/** A limit that was configured through the API. */
export interface DirectoryEntry {
  readonly name: string
  /** Canonical. */
  readonly policy: string
  /** Grows when a limit of this name is removed: another one of the name then has keys of its own. */
  readonly generation: number
  /** Grows with each change of the policy. */
  readonly version: number
}

/** What came of a removal. */
export interface Removed extends Pick<DirectoryEntry, "generation"> {
  /** Whether the limit was still there. */
  readonly isChange: boolean
}

/** What came of a definition. */
export interface Defined extends DirectoryEntry {
  /** Whether the limit was not the same before. */
  readonly isChange: boolean
}

/** A shard whose limits are fewer is told as a whole, so that isolates need not ask for each name. */
const MAX_TOLD = 2_000

/** The limits of one shard that were configured through the API. */
export class RegistryLimits {
  readonly #tables: RegistryTables

  constructor(tables: RegistryTables) {
    this.#tables = tables
  }

  /** Defines a limit of this shard, or puts another policy in its place. */
  define(name: string, policy: string): Defined {
    const isChange = this.find(name)?.policy !== policy
    if (isChange) this.#put(name, policy)
    return { ...this.find(name)!, isChange }
  }

  #put(name: string, policy: string): void {
    this.#tables.sql.exec(
      `INSERT INTO limits VALUES (?, ?, 1, 1)
        ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, version = version + 1`,
      name,
      policy,
    )
  }

  /**
   * Its row stays, since the next limit of the name has to differ from it.
   *
   * @returns the one that was removed, also where that was before; `null` where there never was one
   */
  remove(name: string): Removed | null {
    const entry = this.find(name)
    if (entry !== null) {
      this.#tables.sql.exec("UPDATE limits SET policy = NULL, generation = generation + 1 WHERE name = ?", name)
      return { isChange: true, generation: entry.generation }
    }
    const [row] = this.#tables.read<{ generation: number }>("SELECT generation FROM limits WHERE name = ?", name)
    return row === undefined ? null : { isChange: false, generation: row.generation - 1 }
  }

  /** Whether there is or was a limit of this name and generation. */
  wasDefined(name: string, generation: number): boolean {
    const question = "SELECT 1 FROM limits WHERE name = ?1 AND generation + (policy IS NOT NULL) > ?2"
    return this.#tables.read(question, name, generation).length > 0
  }

  find(name: string): DirectoryEntry | null {
    return this.#limits("AND name = ?", name)[0] ?? null
  }

  /** All limits of this shard, or `null` where they are too many to be told. */
  directory(): DirectoryEntry[] | null {
    const found = this.#limits("LIMIT ?", MAX_TOLD + 1)
    return found.length > MAX_TOLD ? null : found
  }

  /** Limits in the order of their names. */
  page(after: string | null, count: number): DirectoryEntry[] {
    return this.#limits("AND (?1 IS NULL OR name > ?1) ORDER BY name LIMIT ?2", after, count)
  }

  #limits(rest: string, ...values: SqlStorageValue[]): DirectoryEntry[] {
    return this.#tables.read<Row<DirectoryEntry>>(
      `SELECT name, policy, generation, version FROM limits WHERE policy IS NOT NULL ${rest}`,
      ...values,
    )
  }
}
