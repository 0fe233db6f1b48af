import { digits, table, whole } from "../lib/table.mjs"
import { GOVERNOR, GROUPS, GROWTH_KEYS, SECTIONS } from "./workloads.mjs"

const span = ({ median, minimum, maximum }, show) => `${show(median)} (${show(minimum)}–${show(maximum)})`
const verdict = (met) => (met ? "met" : "NOT MET")

function speedTable(section, { phases }, contenders, groups, missing) {
  const shown = GROUPS.filter(({ name }) => section.includes(name)).flatMap((group) =>
    group.phases.flatMap(({ name }) => {
      const found = phases.find(({ phase }) => phase === name)
      return found === undefined ? [] : [{ ...found, group }]
    }),
  )
  if (shown.length === 0) return []
  const rows = contenders.flatMap(({ name, label, cannot }) => {
    if (missing.has(name)) return [[label, missing.get(name)]]
    const why = groups.filter((group) => section.includes(group.name)).map(cannot)
    if (why.every((reason) => reason !== null)) return [[label, `skipped: ${why[0]}`]]
    const cells = shown.map(({ ns, fastestPeer }) => {
      const own = ns.find(({ contender }) => contender === name)
      if (own === undefined) return "–"
      return `${span(own, digits)}${fastestPeer === name ? " *" : "  "}`
    })
    return [[label, ...cells]]
  })
  return [table(["ns a check", ...shown.map(({ label }) => `${label}  `)], rows)]
}

function ratioTable({ ratios }, labels) {
  if (ratios.length === 0) return "Ratios: none, sluice did not run beside a peer."
  const rows = ratios.map(({ verb, label, goal, met, fastestPeer, ...ratio }) => [
    `${verb}: ${label}`,
    span(ratio, digits),
    goal === null ? "" : `≥ ${goal}`,
    met === null ? "" : verdict(met),
    labels.get(fastestPeer),
  ])
  return table(["times as fast as the fastest peer (*), by round", "ratio", "goal", "", "that peer"], rows)
}

function latencyLines({ latencyNs, accesses, governor }) {
  return [
    `One dependent memory access over 64 MB: ${span(latencyNs, digits)} ns`,
    ...(accesses === null ? [] : [`sluice check on 1M uniform fresh keys: ${span(accesses, digits)} such accesses`]),
    ...(governor === null
      ? []
      : [
          `governor 0.10 (Rust), ${GOVERNOR.checkNs} ns where an access takes ${GOVERNOR.memoryLatencyNs} ns, scaled by ` +
            `this run's: sluice check is ${span(governor, digits)} times as fast (goal ≥ 1: ${verdict(governor.median >= 1)})`,
        ]),
  ].join("\n")
}

function memoryTable(memory, labels) {
  const rows = memory.map(({ contender, heapBytesPerKey, rssBytesPerKey }) => [
    labels.get(contender).replace("sluice check", "sluice"),
    span(heapBytesPerKey, whole),
    span(rssBytesPerKey, whole),
  ])
  return table(["bytes a key at 1M, after garbage collection", "JavaScript heap", "RSS"], rows)
}

function growthTable({ checked, without }) {
  const ms = (value) => value.toFixed(value < 0.01 ? 5 : 3)
  const row = (label, field, show) => [label, span(checked[field], show), span(without[field], show)]
  return table(
    [
      `each check after the first, up to ${whole(GROWTH_KEYS)} keys; on all cores`,
      "sluice check",
      "same loop, no check",
    ],
    [
      row("median, ms (with the clock that times it)", "p50Ms", ms),
      row("p99.99, ms", "p9999Ms", ms),
      row("worst, ms: everything", "worstMs", ms),
      row("worst, ms: without garbage collection", "worstWithoutGcMs", ms),
      row("worst, ms: own, nor time off the processor (0: below 0.25)", "worstOwnMs", ms),
      row("major garbage collections", "majorCollections", String),
      row("checks over 1 ms: everything", "over1Ms", String),
      row("checks over 5 ms: everything", "over5Ms", String),
      row("checks over 1 ms: own time", "ownOver1Ms", String),
      row("checks over 5 ms: own time", "ownOver5Ms", String),
    ],
  )
}

function startUpTable(startUp) {
  const ms = (field) => span(startUp[field], digits)
  return table(
    ["start-up", ""],
    [
      ["module, bytes", whole(startUp.moduleBytes.median)],
      ["module, bytes, gzip", whole(startUp.moduleGzipBytes.median)],
      ["compile, ms", ms("compileMs")],
      ["instantiate, ms", ms("instantiateMs")],
      ["import sluice (compiles), ms", ms("importMs")],
      ["new RateLimiter, ms", ms("constructMs")],
      ["first check (instantiates), ms", ms("firstCheckMs")],
      ["second check, ms", ms("secondCheckMs")],
    ],
  )
}

function limitTable(limits) {
  const rows = limits.map(({ what, figure, limit, unit, met }) => [
    what,
    `${figure > 1000 ? whole(figure) : digits(figure)} ${unit}`.trim(),
    `≤ ${whole(limit)} ${unit}`.trim(),
    verdict(met),
  ])
  return table(["limits", "figure", "goal", ""], rows)
}

/** The whole report as text. */
export function reportText({ summary, contenders, groups, missing, facts }) {
  const labels = new Map(contenders.map(({ name, label }) => [name, label]))
  const { speed, memory, growth, startUp, limits } = summary
  return [
    facts.join("\n"),
    ...(speed === null
      ? []
      : [
          ...SECTIONS.flatMap((section) => speedTable(section, speed, contenders, groups, missing)),
          ratioTable(speed, labels),
          latencyLines(speed),
        ]),
    ...(memory === null || memory.length === 0 ? [] : [memoryTable(memory, labels)]),
    ...(growth === null ? [] : [growthTable(growth)]),
    ...(startUp === null ? [] : [startUpTable(startUp)]),
    ...(limits.length === 0 ? [] : [limitTable(limits)]),
  ].join("\n\n")
}
