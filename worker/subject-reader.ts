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

/** Reads what callers send. What was read last is remembered: an object hears little else. */
export class SubjectReader {
  #policy: Policy | null = null
  #text: SubjectText | null = null
  #read: ReadSubject | null = null

  /** @throws {PolicyError} */
  read({ policy, version, limit = LIMIT_NAME, sync = "always" }: Omit<Subject, "key">): ReadSubject {
    if (this.#policy?.canonical !== policy) this.#policy = parsePolicy(policy)
    return { limit, sync, policy: this.#policy, maximumCost: maximumCost(this.#policy.rules), version }
  }

  /** @throws {PolicyError} */
  readText(text: SubjectText): ReadSubject {
    if (this.#read === null || this.#text !== text) {
      this.#read = this.read(JSON.parse(text) as Omit<Subject, "key">)
      this.#text = text
    }
    return this.#read
  }
}
