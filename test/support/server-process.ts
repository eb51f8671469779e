/**
 * A server as users run it: the built `pipit start` in a process of its own, configured by a file and stopped by
 * a signal.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  /** Ends it without a word, as a crash would. */
  kill(): void;
  /** Asks it to stop and waits. The exit code, undefined when it had to be killed. */
  stop(): Promise<number | undefined>;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** More than any grace that tests and demo configure. */
const STOP_WITHIN_MS = 15_000;
const CLIENTS_LINE = /Clients +wss?:\/\/[^\s]*?:(\d+)[/\s]/;

/** Builds what has changed, starts the server and waits until it says where it listens. `print` gets its lines. */
export async function startServerProcess(
  config: unknown,
  print: (line: string) => void,
): Promise<ServerProcess> {
  execFileSync(process.execPath, ["--import", "tsx", "test/tools/build.ts"], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const folder = mkdtempSync(join(tmpdir(), "pipit-server-"));
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(config, undefined, 2));

  // Detached: Ctrl-C is for the program that started it, which then ends the server in order.
  const child = spawn(process.execPath, ["dist/main.js", "start", "--config", file], {
    cwd: ROOT,
    detached: true,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  const endWithUs = () => {
    child.kill("SIGKILL");
    removeFolder();
  };
  process.once("exit", endWithUs);
  child.once("exit", () => {
    process.off("exit", endWithUs);
    removeFolder();
  });

  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const line of text.split("\n")) if (line.trim() !== "") print(line);
    });
  }
  const port = await until("the server says where it listens", () => {
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}.`);
    return CLIENTS_LINE.exec(output)?.[1];
  });
  return {
    port: Number(port),
    pid: child.pid ?? 0,
    kill: () => void child.kill("SIGKILL"),
    stop: () => stop(child),
  };
}

/** Ours, without what would configure the server in place of the file. */
function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith("PIPIT_"));
  return Object.fromEntries(entries);
}

async function stop(child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode === null) child.kill("SIGTERM");
  try {
    return await until("the server has stopped", () => child.exitCode ?? false, STOP_WITHIN_MS);
  } catch {
    child.kill("SIGKILL");
    return undefined;
  }
}
