/**
 * A store that was opened so that it keeps no names of keys cannot list any: the fault of whoever asks it nonetheless.
 */
export class NamesNotKept extends TypeError {
  constructor() {
    super("Cannot list keys: this store keeps no names of them (names: false, or sluice serve --no-names).")
  }
}
