/** The command line, by the Node that the project brings along: the system's may be too old. */
const SLUICE = "node_modules/.bin/node dist/src/cli/main.node.js"

/**
 * What can be asked of a Worker that serves on this machine. Its API answers under `API_HOST`, without it under every
 * host as long as there is no upstream, whose paths are its own.
 *
 * @param {{ url: string, port: number, wranglerOptions: readonly string[] }} served
 */
export function announcement({ url, port, wranglerOptions }) {
  const apiHost = variableOf(wranglerOptions, "API_HOST")
  const hasUpstream = variableOf(wranglerOptions, "UPSTREAM") !== ""
  const lines = [
    [
      hasUpstream ? "the upstream" : "the protected demo",
      `for i in $(seq 12); do curl -si ${url}/api/hello | grep -iE '^(HTTP|RateLimit|Retry)'; echo; done`,
    ],
    ...(hasUpstream && apiHost === ""
      ? [["the API", `not served before an upstream: add --var API_HOST:localhost for it on http://localhost:${port}`]]
      : apiLines(apiHost === "" ? url : `http://${apiHost}:${port}`)),
    ["without a Worker", `${SLUICE} init, then serve --config sluice.toml`],
  ]
  return `
sluice serves on ${url}

${lines.map(([what, how]) => `  ${what.padEnd(20)} ${how}\n`).join("")}
Ctrl-C stops it; what was counted stays in .sluice/${port}
`
}

function apiLines(url) {
  return [
    ["the API", `curl -s ${url}/v1/limits   (its document: ${url}/v1/openapi.json)`],
    ["the dashboard", `${url}/dashboard`],
    ["metrics and events", `curl -s ${url}/metrics     curl -sN ${url}/v1/events`],
    ["the command line", `${SLUICE} monitor --server ${url}`],
  ]
}

/** A variable that `--var NAME:VALUE` gives, "" where none does: the Worker takes an empty one for none. */
function variableOf(wranglerOptions, name) {
  const start = `${name}:`
  const given = wranglerOptions
    .map((option) => option.replace(/^--var=/, ""))
    .findLast((text) => text.startsWith(start))
  return given?.slice(start.length) ?? ""
}
