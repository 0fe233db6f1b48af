import { spawnSync } from "node:child_process"
import { describe, expect, test } from "vitest"
import { run } from "./run.js"

const hasBash = spawnSync("bash", ["--version"]).status === 0

/** What bash offers for the last of some words. */
async function offers(...words: readonly string[]): Promise<string[]> {
  const { out: script } = await run(["completion", "bash"])
  const asked = `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = spawnSync("bash", ["-c", asked, "bash", ...words], { encoding: "utf8" })
  return stdout.split("\n").filter((line) => line !== "")
}

describe("completion", () => {
  test.skipIf(!hasBash)("bash offers commands, options, and what an argument may be", async () => {
    expect(await offers("sluice", "lim")).toEqual(["limit"])
    expect(await offers("sluice", "limit", "che")).toEqual(["check", "check-all"])
    expect(await offers("sluice", "check", "a key", "--co")).toEqual(["--cost"])
    expect(await offers("sluice", "completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]))
  })

  test.skipIf(!hasBash)("bash offers what the value of an option may be, and no options in its place", async () => {
    expect(await offers("sluice", "limit", "top", "--by", "")).toEqual(["denied", "allowed"])
    expect(await offers("sluice", "log", "export", "-f", "c")).toEqual(["csv"])
    expect(await offers("sluice", "doctor", "--data-dir", "")).toEqual([])
    expect(await offers("sluice", "doctor", "--data-dir", "x", "--js")).toEqual(["--json"])
  })

  test.skipIf(!hasBash)("a folder or a server is offered where the command asks one", async () => {
    const places = ["--data-dir", "--server", "--token"]
    const offered = async (...command: string[]) => {
      const words = await offers("sluice", ...command, "--")
      const { out: help } = await run([...command, "--help"])
      expect(places.filter((place) => help.includes(place))).toEqual(places.filter((place) => words.includes(place)))
      return places.filter((place) => words.includes(place))
    }
    expect(await offered("check")).toEqual(places)
    expect(await offered("log", "export")).toEqual(["--data-dir"])
    expect(await offered("monitor")).toEqual(["--server", "--token"])
    expect(await offered("completion")).toEqual([])
  })

  test.skipIf(!hasBash)("bash offers the commands of a group, and help before any", async () => {
    const logs = ["tail", "verify", "compact", "export"]
    expect(await offers("sluice", "log", "")).toEqual([...logs, "help", "--help"])
    expect(await offers("sluice", "help", "log", "")).toEqual(expect.arrayContaining(logs))
    expect(await offers("sluice", "log", "help", "v")).toEqual(["verify"])
    expect(await offers("sluice", "help", "mon")).toEqual(["monitor"])
    expect(await offers("sluice", "help", "limit", "add", "")).toEqual([])
    expect(await offers("sluice", "limit", "add", "--k")).toEqual(["--key"])
    expect(await offers("sluice", "check", "help", "--co")).toEqual(["--cost"])
    expect(await offers("sluice", "--")).toEqual(["--version", "--help"])
  })

  test("fish offers the commands of a group while none of them is there, and the options of the one that is", async () => {
    const { out } = await run(["completion", "fish"])
    expect(out).toContain(
      "'__fish_seen_subcommand_from log; and not __fish_seen_subcommand_from tail verify compact export' -a verify -d",
    )
    expect(out).toMatch(/'__fish_seen_subcommand_from limit; and __fish_seen_subcommand_from add' -l key -d/)
    expect(out).toMatch(/__fish_use_subcommand -a limit -d '/)
  })

  test("fish knows letters, choices and paths", async () => {
    const { out } = await run(["completion", "fish"])
    expect(out).toMatch(/seen_subcommand_from top' -l by -r -a 'denied allowed' -d/)
    expect(out).toMatch(/seen_subcommand_from doctor' -l data-dir -s d -r -F -d/)
    expect(out).toMatch(/seen_subcommand_from completion' -a 'bash zsh fish'/)
  })
})
