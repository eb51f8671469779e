/** A node in a process of its own, for tests that kill it or start it into trouble. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ConfigInput } from "../../src/config/config.ts";
import { APP, type startPipit } from "./pipit.ts";
import { until } from "./until.ts";

export interface PipitProcess {
  /** As configured, or as the start text says once it listens. */
  readonly port: number;
  readonly pid: number;
  /** What it has printed so far, both streams. */
  output(): string;
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  /** Its exit code once it has ended, undefined when a signal has ended it. */
  exitCode(): Promise<number | undefined>;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const STARTS_WITHIN_MS = 20_000;
const CLIENTS_LINE = /Clients +wss?:\/\/[^\s]*?:(\d+)[/\s]/;

/** The configuration of a node with {@link APP}, as tests in one process have it. */
export function nodeConfig(
  app: Parameters<typeof startPipit>[1],
  config: ConfigInput,
): ConfigInput {
  return {
    port: 0,
    metrics: { enabled: false },
    shutdown: { grace_s: 1 },
    log: { level: "info", format: "pretty" },
    ...config,
    app_manager: {
      apps: [{ ...APP, enable_client_messages: true, enable_user_authentication: true, ...app }],
    },
  };
}

export interface SpawnOptions {
  /** Runs what the last build has made, which starts in half the time, and not the sources. */
  readonly isBuilt?: boolean;
}

/** Does not wait until it listens: see {@link listening}. Killed when the test ends. */
export function spawnPipit(
  t: Pick<TestContext, "after">,
  config: ConfigInput,
  { isBuilt = false }: SpawnOptions = {},
): PipitProcess {
  const folder = mkdtempSync(join(tmpdir(), "pipit-node-"));
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(config));
  const program = isBuilt ? ["dist/main.js"] : ["--import", "tsx", "src/main.ts"];
  const child = spawn(process.execPath, [...program, "start", "--config", file], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  t.after(async () => {
    kill(child, "SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return {
    get port() {
      return config.port || Number(CLIENTS_LINE.exec(output)?.[1] ?? 0);
    },
    get pid() {
      return child.pid ?? 0;
    },
    output: () => output,
    kill: (signal) => kill(child, signal),
    async exitCode() {
      const [code] = (await exited) as [number | null];
      return code ?? undefined;
    },
  };
}

/** Starts one and waits until it listens. */
export async function startPipitProcess(
  t: Pick<TestContext, "after">,
  config: ConfigInput,
): Promise<PipitProcess> {
  const node = spawnPipit(t, config);
  await listening(node);
  return node;
}

/** Fails with what it has printed when it ends instead. */
export async function listening(node: PipitProcess, withinMs = STARTS_WITHIN_MS): Promise<void> {
  let hasEnded = false;
  void node.exitCode().then(() => {
    hasEnded = true;
  });
  await until(
    "the node listens",
    () => {
      if (hasEnded) throw new Error(`The node has ended: ${node.output()}`);
      return CLIENTS_LINE.test(node.output());
    },
    withinMs,
  );
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}
