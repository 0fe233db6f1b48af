import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Miniflare } from "miniflare"

type Bundle = (source: string, folder: string) => Promise<{ worker: string; wasm: string[] }>

const NAME = "worker"
const COMPATIBILITY_DATE = "2026-11-02"

/** What a Worker is bound to, and the date that says which platform it meets. */
export interface WorkerBindings {
  /** Durable Object classes that the Worker exports, by the binding's name. */
  readonly objects: Readonly<Record<string, string>>
  /** Variables by name: a text as it is, all else as JSON. */
  readonly variables?: Readonly<Record<string, unknown>>
  readonly compatibilityDate?: string
}

/** Starts a Worker from its source in workerd, bundled into `folder`, which must be there. */
export async function startWorker(
  source: string,
  folder: string,
  { objects, variables = {}, compatibilityDate = COMPATIBILITY_DATE }: WorkerBindings,
): Promise<Miniflare> {
  const { bundle } = (await import(new URL("../bench/edge/bundle.mjs", import.meta.url).href)) as { bundle: Bundle }
  const { worker, wasm } = await bundle(source, folder)
  const read = (name: string) => readFileSync(join(folder, name))
  const sqlite = { type: "durable-object" as const, storage: "sqlite" as const }
  const miniflare = new Miniflare({
    workers: [
      {
        config: {
          name: NAME,
          compatibilityDate,
          manifest: {
            mainModule: worker,
            modulesRoot: folder,
            modules: {
              [worker]: { type: "esm", contents: read(worker).toString() },
              ...Object.fromEntries(wasm.map((name) => [name, { type: "wasm" as const, contents: read(name) }])),
            },
          },
          env: {
            ...Object.fromEntries(Object.entries(objects).map(([name, exportName]) => [name, object(exportName)])),
            ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, variable(value)])),
          },
          exports: Object.fromEntries(Object.values(objects).map((exportName) => [exportName, sqlite])),
        },
      },
    ],
  })
  await miniflare.ready
  return miniflare
}

function object(exportName: string) {
  return { type: "durable-object" as const, worker: NAME, exportName }
}

function variable(value: unknown) {
  return typeof value === "string" ? { type: "text" as const, value } : { type: "json" as const, value: value as never }
}
