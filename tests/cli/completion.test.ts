import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { run, Scratch } from "./run.js"

const [hasBash, hasZsh, hasFish] = ["bash", "zsh", "fish"].map((shell) => spawnSync(shell, ["--version"]).status === 0)

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

  test.skipIf(!hasBash)(
    "bash offers what may follow the equals sign of an option, which it takes for a word",
    async () => {
      expect(await offers("sluice", "serve", "--sync", "=", "a")).toEqual(["always", "ahead"])
      expect(await offers("sluice", "serve", "--sync", "=")).toEqual(["always", "ahead", "batch"])
      expect(await offers("sluice", "serve", "--quiet", "--sync=b")).toEqual(["--sync=batch"])
      expect(await offers("sluice", "serve", "--json", "=")).toEqual([])
      expect(await offers("sluice", "serve", "--sync", "=", "ahead", "--po")).toEqual(["--port"])
    },
  )

  test.skipIf(!hasBash)("a folder or a server is offered where the command asks one", async () => {
    const places = ["--data-dir", "--lock-timeout", "--server", "--token"]
    const offered = async (...command: string[]) => {
      const words = await offers("sluice", ...command, "--")
      const { out: help } = await run([...command, "--help"])
      expect(places.filter((place) => help.includes(place))).toEqual(places.filter((place) => words.includes(place)))
      return places.filter((place) => words.includes(place))
    }
    expect(await offered("check")).toEqual(places)
    expect(await offered("log", "export")).toEqual(["--data-dir", "--lock-timeout"])
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

  test("zsh loads what completes commands, where nobody did", async ({ skip }) => {
    skip(!hasZsh, "zsh is not installed")
    using scratch = new Scratch()
    writeFileSync(scratch.file("script"), (await run(["completion", "zsh"])).out)
    const asked = 'eval "$(cat script)"; print -r -- $_comps[sluice]'
    const options = { cwd: scratch.path, env: { ...process.env, HOME: scratch.path }, encoding: "utf8" } as const
    const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", asked], options)
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringContaining("_sluice"), stderr: "" })
  })

  test("fish offers commands, options and values as bash does, and files where a path is asked for", async ({
    skip,
  }) => {
    skip(!hasFish, "fish is not installed")
    using scratch = new Scratch()
    writeFileSync(scratch.file("script"), (await run(["completion", "fish"])).out)
    const offersOf = (line: string) => {
      const args = ["-N", "-c", "source script; complete -C $argv", line]
      const options = { cwd: scratch.path, env: { ...process.env, HOME: scratch.path }, encoding: "utf8" } as const
      const { stdout } = spawnSync("fish", args, options)
      return stdout.split("\n").flatMap((each) => each.split("\t")[0] || [])
    }
    expect(offersOf("sluice he")).toEqual(["help"])
    expect(offersOf("sluice log ")).toEqual(["compact", "export", "help", "tail", "verify"])
    expect(offersOf("sluice help limit che")).toEqual(["check", "check-all"])
    expect(offersOf("sluice limit help li")).toEqual(["list"])
    expect(offersOf("sluice completion ")).toEqual(["bash", "fish", "zsh"])
    expect(offersOf("sluice serve --sync ")).toEqual(["ahead", "always", "batch"])
    expect(offersOf("sluice log export -f ")).toEqual(["csv", "jsonl"])
    expect(offersOf("sluice check a --co")).toEqual(["--cost"])
    expect(offersOf("sluice check a --cost ")).toEqual([])
    // A key that is called as a command.
    expect(offersOf("sluice limit status check --co")).toEqual([])
    expect(offersOf("sluice doctor --data-dir scr")).toEqual(["script"])
    expect(offersOf("sluice --v")).toEqual(["--version"])
  })

  test("fish offers the commands of a group where that alone is there, and the options of the one that is", async () => {
    const { out } = await run(["completion", "fish"])
    expect(out).toContain("complete -c sluice -n '__sluice_at log' -a 'verify' -d")
    expect(out).toContain("complete -c sluice -n '__sluice_in limit add' -l key -d")
    expect(out).toContain("complete -c sluice -n '__sluice_at' -a 'limit' -d '")
  })

  test("fish knows letters, choices and paths", async () => {
    const { out } = await run(["completion", "fish"])
    expect(out).toContain("-n '__sluice_in limit top' -l by -x -a 'denied allowed' -d")
    expect(out).toContain("-n '__sluice_in doctor' -l data-dir -s d -r -F -d")
    expect(out).toContain("-n '__sluice_at completion' -a 'bash zsh fish'")
  })
})
