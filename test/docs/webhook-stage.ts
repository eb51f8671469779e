/**
 * What docs/webhook-operations.md shows, set up for real: a Redis, a server whose configuration has lost an
 * endpoint, receivers that were out of order, and what they left behind. Commands run as their users run them.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import type { ConfigInput } from "../../src/config/config.ts";
import { createServer, type Server } from "../../src/server.ts";
import { fakeWorld } from "../cli/fake-world.ts";
import { subscribe } from "../support/commands.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const APP = { id: "1", key: "pipit-key", secret: "pipit-secret" };

export interface Stage {
  /** What a command line prints, both streams, without the `pipit` before it. */
  run(args: readonly string[], input?: string): Promise<string>;
  /** As `run`, for a command that goes on: `use` is given its base URL, then it is interrupted. */
  runWhile(args: readonly string[], use: (url: string) => Promise<void>): Promise<string>;
  /** Receivers take everything from now on. */
  mend(): void;
  /** Resolves when the endpoint's line of `status` matches. */
  untilStatus(pattern: RegExp): Promise<void>;
}

export async function setStage(t: TestContext): Promise<Stage> {
  const closers: (() => unknown)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const redis = await startRedis({ after: (close) => void closers.push(close as () => unknown) });
  const receiver = await startFlakyReceiver(closers);
  const folder = mkdtempSync(join(tmpdir(), "pipit-stage-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  const orders = { id: "orders", url: `${receiver.url}/orders`, event_types: OCCUPANCY };
  const audit = {
    id: "audit",
    url: `${receiver.url}/audit`,
    filter: { channel_name_starts_with: "audit-" },
  };
  const legacy = { id: "legacy", url: `${receiver.url}/legacy`, event_types: OCCUPANCY };

  function configFor(port: number, webhooks: readonly object[]): ConfigInput {
    return {
      port,
      metrics: { enabled: false },
      shutdown: { grace_s: 1 },
      log: { level: "silent" },
      redis: { url: redis.url },
      webhooks: { retry: { initial_ms: 50, max_ms: 100, budget_s: 1 } },
      app_manager: { apps: [{ ...APP, webhooks }] },
    } as ConfigInput;
  }

  async function run(args: readonly string[], input = ""): Promise<string> {
    return watch(args, input).ended;
  }

  function watch(args: readonly string[], input = "") {
    let output = "";
    const write = (text: string) => {
      output += text;
    };
    const listeners = new Map<string, (cause: unknown) => void>();
    const world = fakeWorld(folder, {
      out: write,
      err: write,
      readInput: async () => Buffer.from(input),
      process: { on: (event, listener) => listeners.set(event, listener), exit: () => {} },
    });
    const ended = runCli(args, world).then(() => output);
    return { ended, output: () => output, interrupt: () => listeners.get("SIGINT")?.(undefined) };
  }

  async function untilStatus(pattern: RegExp): Promise<void> {
    let seen = "";
    await until(`the status matches ${pattern}`, async () => {
      seen = await run(["webhooks", "status"]);
      return pattern.test(seen);
    }).catch((error: unknown) => {
      throw new Error(`It is:\n${seen}`, { cause: error });
    });
  }

  // Before: an endpoint more, receivers that answer 500, and events that nobody gets.
  const before = await start(configFor(0, [orders, audit, legacy]));
  const port = before.address()?.port ?? 0;
  writeFileSync(join(folder, "config.json"), JSON.stringify(configFor(port, [])));
  try {
    for (const channel of ["room-1", "room-2", "room-3"]) await come(t, port, channel);
    await untilStatus(/legacy +\w+ +0 +\S+ +3 /);
    await untilStatus(/orders +\w+ +0 +\S+ +3 /);
    await run(["webhooks", "pause", "legacy"]);
    await come(t, port, "room-4");
    await untilStatus(/legacy +paused +[1-9]/);
  } finally {
    await before.close();
  }

  const server = await start(configFor(0, [orders, audit]));
  closers.push(() => server.close());
  const config = configFor(server.address()?.port ?? 0, [orders, audit]);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  await untilStatus(/legacy +removed +[1-9]/);
  await untilStatus(/orders +\w+ +0 +\S+ +4 /);
  return {
    run,
    mend: receiver.mend,
    untilStatus,
    async runWhile(args, use) {
      const { ended, output, interrupt } = watch(args);
      const url = await until("it listens", () => /http:\S+\d\//.exec(output())?.[0]);
      await use(url);
      interrupt();
      return ended;
    },
  };
}

const OCCUPANCY = ["channel_occupied"] as const;

async function start(config: ConfigInput): Promise<Server> {
  const server = createServer(config);
  await server.listen();
  return server;
}

/** A client that subscribes and stays. */
async function come(t: TestContext, port: number, channel: string): Promise<void> {
  const path = `/app/${APP.key}?protocol=7&client=js&version=8.6.0`;
  await subscribe(await openRawSocket(t, port, path), channel);
}

async function startFlakyReceiver(closers: (() => unknown)[]) {
  let isMended = false;
  const server = createHttpServer((request, response) => {
    request.resume().on("end", () => response.writeHead(isMended ? 200 : 500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    mend() {
      isMended = true;
    },
  };
}
