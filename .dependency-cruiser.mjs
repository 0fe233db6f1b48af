/** Who may know whom: a room's modules import their own room and those named here, nothing else of the project. */
const ROOMS = {
  lib: [],
  types: ["lib"],
  policy: ["types", "lib"],
  engine: ["policy", "types", "lib"],
  ledger: ["engine", "policy", "types", "lib"],
  limiter: ["engine", "policy", "types", "lib"],
  embedded: ["limiter", "ledger", "engine", "policy", "types", "lib"],
  edge: ["limiter", "policy", "types", "lib"],
  http: ["limiter", "policy", "types", "lib"],
  config: ["limiter", "http", "policy", "types", "lib"],
  simulate: ["edge", "limiter", "policy", "types", "lib"],
  metrics: ["types", "lib"],
  api: ["embedded", "limiter", "metrics", "http", "policy", "types", "lib"],
  adapters: ["http", "limiter", "policy", "types", "lib"],
  client: ["limiter", "policy", "types", "lib"],
}

/** The only files that may name a runtime's own modules. */
const RUNTIME_ADAPTER = "^worker/|\\.(node|workerd|browser|deno|bun)\\.ts$"

const roomRules = Object.entries(ROOMS).map(([room, known]) => ({
  name: `${room}-knows-${known.length > 0 ? known.join("-and-") : "nobody"}`,
  comment: `src/${room} may import ${known.length > 0 ? known.map((name) => `src/${name}`).join(", ") : "no other room"}.`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: {
    path: "^(src|worker|tests|bench|scripts|assembly|dist)/",
    pathNot: [
      `^src/(${[room, ...known].join("|")})/`,
      "^dist/src/engine/module\\.[a-z]+\\.d\\.ts$",
      "^dist/core\\.wasm$",
      "^dist/vendor/",
    ],
  },
}))

export default {
  forbidden: [
    ...roomRules,
    {
      name: "every-room-has-a-rule",
      comment: "A folder of src/ that ROOMS does not name could import anything: give it a line.",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: `^src/(${[...Object.keys(ROOMS), "cli"].join("|")})/` },
      to: {},
    },
    {
      name: "nothing-knows-the-worker",
      comment: "The deployable stands on the library, never the other way round.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^worker/" },
    },
    {
      name: "product-knows-no-tests",
      severity: "error",
      from: { path: "^(src|worker)/" },
      to: { path: "^(tests|bench|scripts|examples)/" },
    },
    {
      name: "runtime-modules-in-adapters",
      comment: "node:, cloudflare: and bun: modules only in worker/ and in *.node.ts, *.workerd.ts and the like.",
      severity: "error",
      // The adapters' own rule, below, is about them.
      from: { path: "^src/", pathNot: [RUNTIME_ADAPTER, "^src/adapters/"] },
      to: {
        path: [
          "^(node|cloudflare|bun|deno|jsr|npm):",
          "^(fs|path|crypto|os|net|http|https|buffer|process|util|stream|events)(/|$)",
        ],
      },
    },
    {
      name: "runtime-modules-are-the-runtimes-own",
      comment: "No Node in the Worker, and no other Node module of its own accord anywhere.",
      severity: "error",
      from: { path: "^(src|worker)/", pathNot: ["\\.(node|deno|bun)\\.ts$", "^src/adapters/"] },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: { path: "^(src|worker)/" },
      to: { circular: true },
    },
    {
      name: "no-runtime-dependencies",
      comment: "What users import depends on nothing but its runtime.",
      severity: "error",
      from: { path: "^(src|worker)/", pathNot: "^src/adapters/" },
      to: { path: "node_modules" },
    },
    {
      name: "adapters-know-types-only",
      comment: "An adapter knows the types of its framework, never its code; check:size looks at what was built, too.",
      severity: "error",
      from: { path: "^src/adapters/" },
      to: { path: "node_modules|^node:", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "nothing-unresolvable",
      severity: "error",
      from: { path: "^(src|worker)/" },
      to: {
        couldNotResolve: true,
        pathNot: ["^cloudflare:", "/core\\.wasm(\\?module)?$", "^\\./(uplot|policies|rates)\\.js$"],
      },
    },
  ],
  options: {
    // TypeScript 7 has no JavaScript API for this tool to parse with; swc sees imports of types too.
    parser: "swc",
    doNotFollow: { path: ["node_modules", "^dist/"] },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["types", "import"] },
  },
}
