/**
 * Proof that a check was charged. It is plain data, so it crosses RPC and HTTP, and it settles once:
 * a second refund of the same receipt gives nothing back.
 */
export interface Receipt {
  /** Identifies the charge within its limiter. */
  readonly id: string
  readonly key: string
  /** The policy's name. */
  readonly policy: string
  /** Units charged. */
  readonly cost: number
  /** The limiter's time of the charge, milliseconds since the Unix epoch. */
  readonly chargedAtMs: number
}
