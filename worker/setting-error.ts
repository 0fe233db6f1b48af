import { SluiceError, show } from "../src/types/errors.js"

/** A setting of the deployed Worker that cannot be: carries the field, the value and what is allowed. */
export class SettingError extends SluiceError {
  override readonly name = "SettingError"
  readonly code = "SETTING_INVALID"
  /** Such as `"LIMITS[0].policy"`. */
  readonly field: string
  readonly value: unknown
  readonly allowed: string

  constructor(field: string, value: unknown, allowed: string) {
    super(`Cannot serve: ${field} is ${show(value)}, allowed is ${allowed}.`)
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}
