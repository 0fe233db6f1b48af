import type { FirstFailures } from "./first-failures.js"
import type { RateLimitOptions } from "./rate-limit-options.js"
import type { RequestDecision } from "./request-decision.js"

/** Tells the user's hooks what happened to one request. Whatever a hook does, the request goes on. */
export class Hooks<Rest extends unknown[]> {
  readonly #options: Pick<RateLimitOptions<Rest>, "onDecision" | "onError">
  readonly #warnings: FirstFailures
  readonly #request: Request
  readonly #rest: Rest

  /** @param warnings hear of what must not go unheard, in place of `onError` where there is none */
  constructor(
    options: Pick<RateLimitOptions<Rest>, "onDecision" | "onError">,
    warnings: FirstFailures,
    request: Request,
    rest: Rest,
  ) {
    this.#options = options
    this.#warnings = warnings
    this.#request = request
    this.#rest = rest
  }

  decision(decision: RequestDecision): void {
    const { onDecision } = this.#options
    if (onDecision) this.inBackground(async () => onDecision(decision, this.#request, ...this.#rest))
  }

  error(error: unknown): void {
    const { onError } = this.#options
    if (!onError) return
    // An error of the error hook has nowhere to go.
    this.#keepAlive((async () => onError(error, this.#request, ...this.#rest))().catch(() => {}))
  }

  /** Tells an error that leaves the request to the fail mode. */
  outage(error: unknown): void {
    if (this.#options.onError) this.error(error)
    else this.#warnings.outage(error)
  }

  /** Tells an error that leaves the request to the key of those that show none. */
  keyFailure(error: unknown): void {
    if (this.#options.onError) this.error(error)
    else this.#warnings.key(error)
  }

  /** Starts work that the response need not wait for. */
  inBackground(work: () => Promise<void>): void {
    this.#keepAlive(work().catch((error: unknown) => this.error(error)))
  }

  /** Workers and their kin end a request's work with its response, unless `ctx.waitUntil` was told of it. */
  #keepAlive(work: Promise<void>): void {
    for (const argument of this.#rest) {
      const context = argument as { waitUntil?: (work: Promise<void>) => void } | null | undefined
      if (typeof context?.waitUntil === "function") {
        context.waitUntil(work)
        return
      }
    }
  }
}
