/** What a command's end means to the script that ran it. */
export const EXIT = { ok: 0, failed: 1, usage: 2, denied: 3 } as const
