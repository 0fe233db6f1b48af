/** Where a loop puts each answer, so that making it cannot be optimised away. */
export const kept = { answer: /** @type {unknown} */ (null) }
