import process from "node:process"

/**
 * Hears SIGHUP from its making on, so that none ends the process. One that comes before there is something to do about
 * it is kept until then.
 */
export class Hangups {
  #act: (() => void) | null = null
  #isKept = false
  readonly #hear = () => {
    if (this.#act === null) this.#isKept = true
    else this.#act()
  }

  constructor() {
    process.on("SIGHUP", this.#hear)
  }

  /** @param act is called at each from now on, and at once where one was kept */
  onEach(act: () => void): void {
    this.#act = act
    if (this.#isKept) act()
  }

  /** Nothing is done any more at those that come. */
  ignore(): void {
    this.#act = () => {}
  }

  /** One ends the process again. */
  end(): void {
    process.off("SIGHUP", this.#hear)
  }
}
