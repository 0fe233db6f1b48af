import { withClass } from "../../worker/with-class.js"

/**
 * The error of a call to an object, with its class on this side of RPC.
 *
 * Awaited here since `expect(…).rejects` looks at properties of what it gets, and each property of an RPC promise is
 * one more call that fails.
 */
export async function errorOf(call: Promise<unknown>): Promise<Error | undefined> {
  try {
    await call
  } catch (error) {
    return withClass(error)
  }
  throw new Error("Expected an error, none was thrown.")
}
