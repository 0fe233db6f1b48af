import type { Command } from "../command.js"
import { EXIT } from "../exit-code.js"
import { write } from "../output.js"
import { plainText } from "../plain-text.js"

export const doctor: Command = {
  name: "doctor",
  summary: "Look at everything that can be wrong. A fault is exit code 1.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: {},
  examples: ["sluice doctor", "sluice doctor --server http://127.0.0.1:8080 --json"],
  async run(call) {
    const { style } = call
    const found = await (await call.target()).doctor()
    write(call, found, () => {
      const lines = found.findings.map(({ name, ok, detail }) => {
        return `${ok ? style.green("ok   ") : style.red("fault")}  ${plainText(name).padEnd(8)}  ${plainText(detail)}\n`
      })
      return `${lines.join("")}${found.ok ? "All is well.\n" : style.red("Something is wrong.\n")}`
    })
    return found.ok ? EXIT.ok : EXIT.failed
  },
}
