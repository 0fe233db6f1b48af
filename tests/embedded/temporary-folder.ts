import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const made: string[] = []

/** A new folder's path, which is not there yet; its parent is removed by `removeFolders`. */
export function temporaryFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), "sluice-embedded-"))
  made.push(parent)
  return join(parent, "store")
}

export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
}
