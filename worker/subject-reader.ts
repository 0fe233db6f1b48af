import type { SyncMode } from "../src/ledger/sync-mode.js"
import { maximumCost } from "../src/policy/maximum-cost.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Policy } from "../src/policy/policy.js"
import type { Subject, SubjectText } from "./subject.js"

/** The name of a limit in an object that holds one. */
const LIMIT_NAME = "limit"

/** What a subject says, whatever its key. */
export interface ReadSubject {
  readonly limit: string
  readonly sync: SyncMode
  readonly policy: Policy
  /** The most that a check can cost under it. */
  readonly maximumCost: number
  readonly version: number | undefined
}

/** What a text of a subject says. */
export interface ReadSubjectText extends ReadSubject {
  readonly subject: Omit<Subject, "key">
}

/** Reads what callers send. What was read last is remembered: an object hears little else. */
export class SubjectReader {
  #policy: Policy | null = null
  #text: SubjectText | null = null
  #read: ReadSubjectText | null = null

  /** @throws {PolicyError} */
  read({ policy, version, limit = LIMIT_NAME, sync = "always" }: Omit<Subject, "key">): ReadSubject {
    if (this.#policy?.canonical !== policy) this.#policy = parsePolicy(policy)
    return { limit, sync, policy: this.#policy, maximumCost: maximumCost(this.#policy.rules), version }
  }

  /** @throws {PolicyError} */
  readText(text: SubjectText): ReadSubjectText {
    if (this.#read === null || this.#text !== text) {
      const subject = JSON.parse(text) as Omit<Subject, "key">
      this.#read = { subject, ...this.read(subject) }
      this.#text = text
    }
    return this.#read
  }
}
