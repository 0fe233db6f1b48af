/** When clocks of tests start: an hour's first millisecond, so that windows of up to an hour start there too. */
export const START_MS = 1_699_999_200_000
