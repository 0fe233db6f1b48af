import type { SyncMode } from "../src/ledger/sync-mode.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Policy } from "../src/policy/policy.js"
import type { Subject, Terms } from "./subject.js"

/** The name of a limit in an object that holds one. */
const LIMIT_NAME = "limit"

/** What a subject says, whatever its key. */
export interface ReadSubject {
  readonly limit: string
  readonly sync: SyncMode
  readonly policy: Policy
  readonly version: number | undefined
}

/** What terms say. */
export interface ReadTerms extends ReadSubject {
  readonly subject: Omit<Subject, "key">
}

/** Reads what callers send. What was read last is remembered: an object hears little else. */
export class SubjectReader {
  #policy: Policy | null = null
  #text: Terms | null = null
  #terms: ReadTerms | null = null

  /** @throws {PolicyError} */
  read({ policy, version, limit = LIMIT_NAME, sync = "always" }: Omit<Subject, "key">): ReadSubject {
    if (this.#policy?.canonical !== policy) this.#policy = parsePolicy(policy)
    return { limit, sync, policy: this.#policy, version }
  }

  /** @throws {PolicyError} */
  readTerms(text: Terms): ReadTerms {
    if (this.#terms === null || this.#text !== text) {
      const subject = JSON.parse(text) as Omit<Subject, "key">
      this.#terms = { subject, ...this.read(subject) }
      this.#text = text
    }
    return this.#terms
  }
}
