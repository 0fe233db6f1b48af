import type { CoreCase } from "./core-case.js"
import { admitCases } from "./core-cases/admit.js"
import { badArgumentCases } from "./core-cases/bad-arguments.js"
import { decisionCoreCases } from "./core-cases/decisions.js"
import { keyCoreCases } from "./core-cases/keys.js"
import { manyCases } from "./core-cases/many.js"
import { memoryCases } from "./core-cases/memory.js"
import { moduleCases } from "./core-cases/module.js"
import { saveCases } from "./core-cases/save.js"

/** What core.wasm must do by its ABI, on every runtime. */
export const coreCases: readonly CoreCase[] = [
  ...moduleCases,
  ...decisionCoreCases,
  ...admitCases,
  ...badArgumentCases,
  ...manyCases,
  ...keyCoreCases,
  ...saveCases,
  ...memoryCases,
]
