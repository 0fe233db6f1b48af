import type { CoreExports } from "../../src/engine/core-exports.js"

/** The module as a runtime has it. */
export interface CoreUnderTest {
  readonly module: WebAssembly.Module
  /** Its exports: of a new instance, or of the one that there is. */
  instantiate(): CoreExports
}

/** One thing that the module must do by its documented ABI. */
export interface CoreCase {
  /** Unique in the suite. */
  readonly name: string
  /** @throws {Error} where the module does not conform */
  run(core: CoreUnderTest): void
}

/** A core of which every case gets an instance of its own. */
export function compiledCore(module: WebAssembly.Module): CoreUnderTest {
  return { module, instantiate: () => new WebAssembly.Instance(module).exports as unknown as CoreExports }
}
