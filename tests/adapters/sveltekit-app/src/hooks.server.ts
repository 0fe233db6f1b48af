import type { Handle, HandleServerError } from "@sveltejs/kit/hooks"
import { sequence } from "@sveltejs/kit/hooks"

/** The handles under test: the test puts them where the app, which runs in its process, finds them. */
const handles = (globalThis as { sluiceHandles?: Handle[] }).sluiceHandles ?? []

export const handle: Handle = sequence(...handles)

/** What the suite's handler throws is no news. */
export const handleError: HandleServerError = () => ({ message: "the handler failed" })
