import { refuseRepeats } from "../src/policy/require-group.js"
import type { CheckPart } from "./check-part.js"

/** Checks of one object, which it decides in one transaction. */
export interface ObjectParts {
  /** Where each is among all. */
  readonly places: readonly number[]
  readonly parts: readonly [CheckPart, ...CheckPart[]]
}

/**
 * Checks by the objects that decide them.
 *
 * @throws {RangeError} where one key of one limit comes twice
 */
export function partsByObject(parts: readonly CheckPart[]): readonly ObjectParts[] {
  const bindings = new Map<object, number>()
  const numberOf = (binding: object) => {
    if (!bindings.has(binding)) bindings.set(binding, bindings.size)
    return bindings.get(binding)
  }
  refuseRepeats(
    parts.map(({ binding, cacheName, check }) => ({
      subject: `${numberOf(binding)} ${cacheName}`,
      key: check.subject.key,
    })),
  )
  const groups = new Map<string, { places: number[]; parts: [CheckPart, ...CheckPart[]] }>()
  for (const [place, part] of parts.entries()) {
    const name = `${numberOf(part.binding)} ${part.scope}${part.object}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { places: [place], parts: [part] })
    else {
      group.places.push(place)
      group.parts.push(part)
    }
  }
  return [...groups.values()]
}
