import { component, flag, object } from "../schema.js"

/** The answer where there is nothing to tell but that it is done. */
export const done = component("Done", object({ ok: flag() }))
