/** A time that nothing can be decided at: the clock's fault, and not that of what was asked. */
export class TimeError extends RangeError {}
