/*
 * gcra spaces: the emission interval is P/N ms and `burst` of them may come at once. The cell is the arrival time.
 */
export { fullMs, wait, charge, remaining, reset, used, refund, heal } from "./arrival-time"
