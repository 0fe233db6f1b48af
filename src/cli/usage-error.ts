/** The command line cannot be: the command ends with code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError"
}
