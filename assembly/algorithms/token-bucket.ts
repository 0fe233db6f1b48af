/*
 * token_bucket counts: N/P tokens drip in per millisecond, `burst` fit in. A bucket of B − (TAT − now)·N/P tokens
 * and an arrival time are the same number seen from two sides, so the cell is the arrival time.
 */
export { fullMs, wait, charge, remaining, reset, used, refund, heal } from "./arrival-time"
