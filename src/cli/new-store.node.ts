import { existsSync, rmdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { removeStore } from "../embedded/store-files.node.js"

/** The folders of a path that are not there, itself first. */
function missingFolders(path: string): string[] {
  const folder = resolve(path)
  return existsSync(folder) ? [] : [folder, ...missingFolders(dirname(folder))]
}

/** A store that is about to be made where none is: where what it is made for fails, a second try finds nothing of it. */
export class NewStore {
  readonly #path: string
  readonly #missing: readonly string[]
  #isKept = false

  constructor(path: string) {
    this.#path = path
    this.#missing = missingFolders(path)
  }

  /** From now on `remove` does nothing. */
  keep(): void {
    this.#isKept = true
  }

  /** Removes the files of the store, which nobody has open, and the folders that were missing. */
  remove(): void {
    if (this.#isKept) return
    try {
      removeStore(this.#path)
      for (const folder of this.#missing) rmdirSync(folder)
    } catch {
      // Why it was not made is what is told: where nothing may be removed, or others use the folders by now, they stay.
    }
  }
}
