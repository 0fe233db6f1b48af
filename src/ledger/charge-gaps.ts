import { MalformedBytes } from "./byte-reader.js"

/** No more admissions are told, at any moment, that are not in the file: so many numbers of charges are skipped. */
export const MAX_TOLD = 2 ** 24
/** So many gaps are told apart, of about six bytes each in a snapshot. */
const MAX_GAPS = 64

/** Numbers of charges that were skipped: those above `after`, up to `through`. */
export interface ChargeGap {
  readonly after: number
  readonly through: number
}

/**
 * The numbers of charges that a limit skipped, since admissions may have been told under them that the log lacks. Such
 * a number is given to no other charge, and its receipt cannot be settled; those of all other numbers are in the log,
 * unless a repair lost its end.
 */
export class ChargeGaps {
  readonly #gaps: ChargeGap[] = []

  /** In ascending order, apart from each other. */
  get all(): readonly ChargeGap[] {
    return this.#gaps
  }

  /**
   * Skips the numbers above one, up to another. Where there are too many gaps by then, the oldest two become one that
   * begins with the first charge: what was charged before it cannot be settled any more.
   *
   * @throws {MalformedBytes} where they are not above those that were skipped before
   */
  skip({ after, through }: ChargeGap): void {
    const gaps = this.#gaps
    const last = gaps.at(-1)
    if (after < (last?.through ?? 0) || through <= after) throw new MalformedBytes("numbers of charges go back")
    // Nothing was charged in between.
    if (last?.through === after) gaps[gaps.length - 1] = { after: last.after, through }
    else gaps.push({ after, through })
    if (gaps.length > MAX_GAPS) gaps.splice(0, 2, { after: 0, through: gaps[1]!.through })
  }

  has(chargeNumber: number): boolean {
    return this.#gaps.some(({ after, through }) => chargeNumber > after && chargeNumber <= through)
  }
}
