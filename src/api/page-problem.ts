import type { ApiAnswer } from "./api-request.js"
import { problemAnswer } from "./problem-answer.js"
import { RequestError } from "./request-error.js"

/** The answer where there is no page of the dashboard under a path, or a page does not know the method. */
export function pageProblem(method: string): ApiAnswer {
  if (method === "GET" || method === "HEAD") {
    return problemAnswer(new RequestError(404, "Cannot serve the request: there is no such page."))
  }
  const allowed = "GET, HEAD"
  return problemAnswer(
    new RequestError(405, `Cannot serve the request: allowed here is ${allowed}.`, { Allow: allowed }),
  )
}
