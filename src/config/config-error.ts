import { type PolicyError, SluiceError, show } from "../types/errors.js"

interface ConfigErrorOptions extends ErrorOptions {
  /** What is read; default the configuration. */
  readonly what?: string
}

/** A configuration that cannot be: carries the field, the value and what is allowed. */
export class ConfigError extends SluiceError {
  override readonly name = "ConfigError"
  readonly code = "CONFIG_INVALID"
  /** Such as `"limits.api.period"`, or the environment variable that set it. */
  readonly field: string
  readonly value: unknown
  readonly allowed: string

  constructor(field: string, value: unknown, allowed: string, options: ConfigErrorOptions = {}) {
    const { what = "the configuration", ...others } = options
    super(`Cannot read ${what}: ${field} is ${show(value)}, allowed is ${allowed}.`, others)
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}

/** What the room of policies refuses, in the name of the configuration, where a duration is no number. */
export function asConfigError({ field, value, allowed }: PolicyError, path: string = field): ConfigError {
  return new ConfigError(path, value, allowed.replace(/^a whole number of ms, or /, ""))
}
