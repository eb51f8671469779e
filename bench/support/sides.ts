/** The servers that are compared: started for a scenario, or already running somewhere. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigInput } from "../../src/config/config.ts";
import { BENCH_APP, type BenchApp, type Endpoint } from "./endpoint.ts";
import { freePort, startServer } from "./server-process.ts";

type AppInput = NonNullable<NonNullable<ConfigInput["app_manager"]>["apps"]>[number];

export type SideName = "bare" | "pipit" | "target";

export interface Side {
  readonly name: SideName;
  readonly endpoint: Endpoint;
  /** Undefined: a target of which nobody has told the process. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/** How the servers are started. */
export interface SideOptions {
  /** Node's arguments before those of the server: what Pipit is started from. */
  readonly pipit: readonly string[];
  readonly bare: readonly string[];
  readonly core: number | undefined;
  readonly target: { readonly endpoint: Endpoint; readonly pid: number | undefined } | undefined;
}

export const SIDE_OPTIONS: Omit<SideOptions, "core" | "target"> = {
  pipit: ["dist/main.js"],
  bare: ["--import", "tsx", "bench/bare-server.ts"],
};

/** What a scenario needs of Pipit's configuration besides what all need. */
export interface SideConfig {
  readonly app?: Partial<AppInput>;
  /** Undefined: the one of the side's endpoint, alone. */
  readonly apps?: readonly BenchApp[];
  readonly server?: Omit<ConfigInput, "app_manager">;
  /** Arguments for Node, for both servers. */
  readonly nodeArgs?: readonly string[];
}

export async function openSide(
  name: SideName,
  options: SideOptions,
  config: SideConfig = {},
): Promise<Side> {
  if (name === "target") return openTarget(options);
  const port = await freePort();
  const { nodeArgs = [] } = config;
  const endpoint: Endpoint = { host: "127.0.0.1", port, ...BENCH_APP };
  if (name === "bare") {
    const args = [...nodeArgs, ...options.bare];
    const [script = "", ...faults] = args.splice(args.findIndex((each) => each.endsWith(".ts")));
    const server = await startServer(
      [...args, script, String(port), ...faults],
      port,
      options.core,
    );
    return { name, endpoint, pid: server.pid, close: () => server.stop() };
  }
  const folder = mkdtempSync(join(tmpdir(), "pipit-bench-"));
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(pipitConfig(port, config)));
  try {
    const args = [...nodeArgs, ...options.pipit, "start", "--config", file];
    const server = await startServer(args, port, options.core);
    return { name, endpoint, pid: server.pid, close: () => server.stop() };
  } finally {
    // Read once at the start.
    rmSync(folder, { recursive: true });
  }
}

function openTarget({ target }: SideOptions): Side {
  if (target === undefined) throw new Error("There is no --target.");
  return { name: "target", ...target, close: async () => {} };
}

/** As it comes, all checks on, but for limits that would end the load and what would be in its way. */
function pipitConfig(port: number, { app, apps = [BENCH_APP], server }: SideConfig): ConfigInput {
  return {
    port,
    metrics: { enabled: false },
    log: { level: "warn" },
    shutdown: { grace_s: 1 },
    ...server,
    limits: { commands_per_second: -1, ...server?.limits },
    app_manager: {
      apps: apps.map(({ appId, key, secret }) => ({
        id: appId,
        key,
        secret,
        enable_client_messages: true,
        max_client_events_per_second: -1,
        ...app,
      })),
    },
  };
}
