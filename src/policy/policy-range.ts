/** The most units that a limit, a burst, a refill or a cost may be. */
export const MAX_UNITS = 2 ** 31

/** The longest period, refill step and block: 10 years of 365 days, in milliseconds. */
export const MAX_PERIOD_MS = 315_360_000_000

/** The longest time in which an empty quota may become full: 2^45 ms, some 1,115 years. */
export const MAX_REFILL_TIME_MS = 2 ** 45

/** The most rules that one policy can have. */
export const MAX_RULES = 8

/** The most keys that the core can count. */
export const MAX_KEYS = 2 ** 32 - 1

/** The longest text that `parsePolicy` reads, in UTF-16 code units; eight full rules with long names fit. */
export const MAX_TEXT_LENGTH = 16_384

/** The longest time that a timer of the platforms waits, in milliseconds: a longer one would end at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1
