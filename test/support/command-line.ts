/** Runs commands of `pipit` in this process, against a real server or none. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import { fakeWorld } from "../cli/fake-world.ts";
import { until } from "./until.ts";

export interface CommandResult {
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  /** Everything so far, both streams. */
  output(): string;
  /** The URL that it says it listens at. */
  url(): Promise<string>;
  /** As Ctrl-C. */
  interrupt(): void;
  readonly ended: Promise<CommandResult>;
}

export interface CommandLine {
  run(...args: string[]): Promise<CommandResult>;
  /** Parsed from the output. Throws unless it ends with 0. */
  json(...args: string[]): Promise<Record<string, unknown>>;
  start(...args: string[]): RunningCommand;
}

/** `config` is the config.json where the commands run; `env` their environment; `input` their standard input. */
export function commandLine(
  t: TestContext,
  config: unknown,
  { env = {}, input = "" }: { env?: Record<string, string>; input?: string } = {},
): CommandLine {
  const folder = mkdtempSync(join(tmpdir(), "pipit-command-"));
  t.after(() => rmSync(folder, { recursive: true }));
  if (config !== undefined) writeFileSync(join(folder, "config.json"), JSON.stringify(config));

  function start(...args: string[]): RunningCommand {
    const readInput = async () => Buffer.from(input);
    const world = fakeWorld(folder, { env, readInput });
    const { written, listeners } = world;
    const interrupt = () => listeners.get("SIGINT")?.(undefined);
    t.after(interrupt);
    return {
      output: () => written.out + written.err,
      url: () => until("it listens", () => /http:\S+\d\//.exec(written.err)?.[0]),
      interrupt,
      ended: runCli(args, world).then((code) => ({ code, ...written })),
    };
  }
  return {
    start,
    run: (...args) => start(...args).ended,
    async json(...args) {
      const { code, out, err } = await start(...args, "--json").ended;
      if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${out}${err}`);
      return JSON.parse(out);
    },
  };
}
