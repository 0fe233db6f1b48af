import type { RequestHandler } from "@sveltejs/kit"

/** Answers as the suite's other servers do. */
const answer: RequestHandler = async ({ request, url }) => {
  const { answerTo } = globalThis as unknown as {
    answerTo: (path: string, body: string) => ResponseInit & { body: string }
  }
  const { status, body } = answerTo(url.pathname, await request.text())
  return new Response(body, { status: status! })
}

export const fallback = answer
