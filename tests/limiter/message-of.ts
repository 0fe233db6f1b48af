/** What comes of a call, be it thrown at once or later. */
export async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
  return "nothing was refused"
}
