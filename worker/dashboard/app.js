import { ApiProblem, get, PRINTABLE, session } from "./api.js"
import { h, write } from "./dom.js"
import { forgetEdit, interruptEdit } from "./edit.js"
import { keyView } from "./key.js"
import { limitsView } from "./limits.js"
import { overviewView } from "./overview.js"

const VIEWS = { overview: overviewView, limits: limitsView, key: keyView }

/** After how long a server that did not answer is asked again. */
const AGAIN_MS = 10_000
/** After how long it is told that an answer is still waited for, where nothing is there to be seen before it. */
const SLOW_MS = 300
const LOADING = "Loading …"

const main = document.getElementById("main")
const nav = document.getElementById("nav")
const logout = document.getElementById("logout")
const state = document.getElementById("state")
const message = document.getElementById("message")
let leave = () => {}
let forgetting = 0
let problemOf = null
let shownPlace = null
let loading = 0

/** Tells something that went well or wrong, for some seconds. What goes on being wrong is read out once. */
function tell(text, ofProblem = null) {
  if (ofProblem === null) message.textContent = text
  else write(message, text)
  problemOf = ofProblem
  clearTimeout(forgetting)
  forgetting = setTimeout(() => {
    message.textContent = ""
  }, 6_000)
}

/** A problem is over when the same goes well. */
function forgetProblem(what) {
  if (problemOf === what) tell("")
}

/**
 * Tells that an answer is waited for, once that takes long.
 *
 * @returns ends it, unless another is waited for by then
 */
function tellLoading() {
  endLoading()
  const own = setTimeout(() => write(state, LOADING), SLOW_MS)
  loading = own
  return () => {
    if (loading === own) endLoading()
  }
}

function endLoading() {
  clearTimeout(loading)
  loading = 0
  if (state.textContent === LOADING) state.textContent = ""
}

/**
 * Runs what a button asks for, and tells what came of it.
 *
 * @param {() => Promise<any>} work
 * @param {object} [how]
 * @param {(result: any) => string} [how.done] what is told of it; nothing where not given
 * @param {(text: string) => void} [how.tellWrong] where it is told that it went wrong
 * @param {unknown} [how.what] names what is done again and again, beside what else the view does
 * @param {() => boolean} [how.isLatest] whether the same was not asked for again meanwhile; otherwise nothing is told
 * @returns {Promise<any>} what the work gave; `undefined` where that failed, or is not the latest
 */
async function act(work, { done, tellWrong, what = shownPlace, isLatest = () => true } = {}) {
  try {
    const result = await work()
    if (!isLatest()) return undefined
    forgetProblem(what)
    if (done !== undefined) tell(done(result))
    return result
  } catch (error) {
    if (isRefusal(error)) return showLogin(error.message)
    if (!isLatest()) return undefined
    if (tellWrong !== undefined) tellWrong(error.message)
    else tell(error.message, what)
    return undefined
  }
}

/**
 * Runs what a view needs before it has anything to show: where the server does not answer, the page says so instead.
 */
async function load(work, tellWrong) {
  const place = shownPlace
  const endOwn = tellLoading()
  try {
    const result = await work()
    forgetProblem(place)
    return result
  } catch (error) {
    if (place !== shownPlace) return undefined
    if (isRefusal(error)) return showLogin(error.message)
    if (isAway(error)) return showAway(error)
    if (tellWrong !== undefined) tellWrong(error.message)
    else tell(error.message, place)
    return undefined
  } finally {
    endOwn()
  }
}

/** Another token may be the right one. A proxy's own refusal is none of the token. */
const isRefusal = (error) => error instanceof ApiProblem && error.code === "UNAUTHORIZED"
/** Nothing is answered for now, whatever is asked. */
const isAway = (error) =>
  !(error instanceof ApiProblem) || error.status >= 500 || [401, 403, 429].includes(error.status)

/**
 * Shows a view. Which key it is about is kept in the history's state, not in the address, and so is where the reader
 * was in a view that is left for another.
 *
 * @param {{ view: string, key?: string, limit?: string, scrollY?: number }} place
 */
function show(place, how = "push") {
  leave()
  endLoading()
  if (how === "push") {
    if (shownPlace !== null) history.replaceState({ ...shownPlace, scrollY }, "")
    history.pushState(place, "", "#")
  }
  shownPlace = place
  for (const button of nav.children) {
    if (button.dataset.view === place.view) button.setAttribute("aria-current", "page")
    else button.removeAttribute("aria-current")
  }
  main.replaceChildren()
  nav.hidden = false
  leave = VIEWS[place.view]({ main, place, go, act, load, state }) ?? (() => {})
}

/** Shows another view, and goes on there. */
function go(place, how) {
  show(place, how)
  main.focus({ preventScroll: true })
}

/** Has the next Tab come to the page's first link, as it does on a page that was just loaded. */
function focusNothing() {
  document.body.tabIndex = -1
  document.body.focus({ preventScroll: true })
  document.body.removeAttribute("tabindex")
}

function showLogin(reason) {
  leave()
  leave = () => {}
  shownPlace = null
  session.token = null
  interruptEdit()
  nav.hidden = true
  logout.hidden = true
  endLoading()
  state.textContent = ""
  // What went wrong in the view before is no matter of the form.
  tell("")
  const input = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true })
  const form = h(
    "form",
    {
      async onsubmit(event) {
        event.preventDefault()
        if (!PRINTABLE.test(input.value)) {
          told.textContent = "A token is of printable ASCII characters alone."
          return
        }
        session.token = input.value
        await start()
      },
    },
    h("label", {}, "Token", input),
    h("button", { class: "primary" }, "Log in"),
  )
  const told = h("p", { class: "denied", role: "alert" }, reason ?? "")
  main.replaceChildren(h("section", {}, h("h2", {}, "Log in"), told, form))
  input.focus()
}

/** Says that nobody answers, or that nothing is let in, until it is otherwise. */
function showAway(error) {
  leave()
  endLoading()
  const again = setTimeout(start, AGAIN_MS)
  leave = () => clearTimeout(again)
  const isRefused = error instanceof ApiProblem && error.status < 500
  write(away.title, isRefused ? "Refused" : "No answer")
  write(away.reason, error.message)
  // Where it is shown already, its button keeps the focus.
  if (main.contains(away.section)) return
  const focused = document.activeElement
  const isLost = focused !== main && main.contains(focused)
  main.replaceChildren(away.section)
  if (isLost) away.retry.focus()
}

const away = {
  title: h("h2"),
  reason: h("p", { class: "denied", role: "alert" }),
  retry: h("button", { type: "button", class: "primary", onclick: start }, "Retry"),
}
away.section = h(
  "section",
  {},
  away.title,
  away.reason,
  h("p", {}, `It is asked again every ${AGAIN_MS / 1_000} seconds.`),
  away.retry,
)

async function start() {
  const place = shownPlace
  const endOwn = tellLoading()
  try {
    await get("/v1/health")
  } catch (error) {
    // The reader went elsewhere meanwhile.
    if (place !== shownPlace) return
    if (!isRefusal(error)) return showAway(error)
    return showLogin(session.token === null ? undefined : error.message)
  } finally {
    endOwn()
  }
  if (place !== shownPlace) return
  logout.hidden = session.token === null
  // Of a page that was just loaded, nothing has the focus, unless the reader was faster.
  const wasInForm = main.contains(document.activeElement)
  show(history.state?.view ? { ...history.state, focused: undefined } : { view: "overview" }, "replace")
  if (wasInForm) focusNothing()
}

document.querySelector(".skip").addEventListener("click", (event) => {
  // Followed, it would be an entry of the history without a view.
  event.preventDefault()
  main.focus()
})
nav.addEventListener("click", ({ target }) => {
  const { view } = target.dataset
  if (view !== undefined) go({ view })
})
logout.addEventListener("click", () => {
  forgetEdit()
  showLogin()
})
addEventListener("popstate", ({ state: place }) => go(place?.view ? place : { view: "overview" }, "replace"))
await start()
