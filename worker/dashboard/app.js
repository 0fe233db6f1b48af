import { ApiProblem, get, session } from "./api.js"
import { h } from "./dom.js"
import { keyView } from "./key.js"
import { limitsView } from "./limits.js"
import { overviewView } from "./overview.js"

const VIEWS = { overview: overviewView, limits: limitsView, key: keyView }

const main = document.getElementById("main")
const nav = document.getElementById("nav")
const logout = document.getElementById("logout")
const state = document.getElementById("state")
const message = document.getElementById("message")
let leave = () => {}
let forgetting = 0

/** Tells something that went well or wrong, for some seconds. */
function tell(text) {
  message.textContent = text
  clearTimeout(forgetting)
  forgetting = setTimeout(() => {
    message.textContent = ""
  }, 6_000)
}

/**
 * Runs what a button asks for, and tells what came of it.
 *
 * @param {() => Promise<any>} work
 * @param {(result: any) => string} [done] what is told of it; nothing where not given
 */
async function act(work, done) {
  try {
    const result = await work()
    if (done !== undefined) tell(done(result))
    return result
  } catch (error) {
    if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) return showLogin(error.message)
    tell(error.message)
    return undefined
  }
}

/**
 * Shows a view. Which key it is about is kept in the history's state, not in the address.
 *
 * @param {{ view: string, key?: string, limit?: string }} place
 */
function show(place, how = "push") {
  leave()
  if (how === "push") history.pushState(place, "", "#")
  for (const button of nav.children) {
    if (button.dataset.view === place.view) button.setAttribute("aria-current", "page")
    else button.removeAttribute("aria-current")
  }
  main.replaceChildren()
  nav.hidden = false
  leave = VIEWS[place.view]({ main, place, go, act, tell, state }) ?? (() => {})
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
  session.token = null
  nav.hidden = true
  logout.hidden = true
  state.textContent = ""
  const input = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true })
  const form = h(
    "form",
    {
      async onsubmit(event) {
        event.preventDefault()
        session.token = input.value
        await start()
      },
    },
    h("label", {}, "Token", input),
    h("button", { class: "primary" }, "Log in"),
  )
  const told = reason === undefined ? null : h("p", { class: "denied", role: "alert" }, reason)
  main.replaceChildren(h("section", {}, h("h2", {}, "Log in"), told, form))
  input.focus()
}

async function start() {
  try {
    await get("/v1/health")
  } catch (error) {
    const isFirst = session.token === null && error.status === 401
    return showLogin(isFirst ? undefined : error.message)
  }
  logout.hidden = session.token === null
  // Of a page that was just loaded, nothing has the focus, unless the reader was faster.
  const wasInForm = main.contains(document.activeElement)
  show(history.state?.view ? history.state : { view: "overview" }, "replace")
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
logout.addEventListener("click", () => showLogin())
addEventListener("popstate", ({ state: place }) => go(place?.view ? place : { view: "overview" }, "replace"))
await start()
