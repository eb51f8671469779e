/** A Redis of a test's own: a real redis-server process on a free port of the loopback address. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends the process: at once, as a crash would, or politely so that it saves what it is told to save. */
  stop(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Stops it when it runs, and starts it on the same port and folder. */
  restart(): Promise<void>;
  /** Lets it answer nothing while its connections stay open, until {@link resume}. */
  suspend(): void;
  resume(): void;
  /** Runs a command on a connection that is the test's own: `call("CLIENT", "LIST")`. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
}

export interface RedisServerOptions {
  /** Further arguments, after those that keep it from saving anything. */
  readonly args?: readonly string[];
}

/** Resolves when it answers; it ends with the test, or without `t` with the process, if not stopped before. */
export async function startRedis(
  t: Pick<TestContext, "after"> | undefined,
  { args = [] }: RedisServerOptions = {},
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "pipit-redis-"));
  let server: ChildProcess | undefined;
  let client: Redis | undefined;
  let port = 0;

  /** False when the port was taken meanwhile. */
  async function start(): Promise<boolean> {
    const own = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder];
    const child = spawn("redis-server", [...own, "--save", "", "--appendonly", "no", ...args], {
      stdio: "ignore",
    });
    server = child;
    const probe = connect();
    try {
      return await until("redis-server answers", async () => {
        if (child.exitCode !== null) return "ended";
        return (await probe.ping().catch(() => undefined)) === "PONG" && "answers";
      }).then((state) => state === "answers");
    } finally {
      probe.disconnect();
    }
  }

  function connect(): Redis {
    const redis = new Redis({
      host: "127.0.0.1",
      port,
      retryStrategy: () => 20,
      maxRetriesPerRequest: 0,
    });
    redis.on("error", () => {});
    return redis;
  }

  async function stop(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    client?.disconnect();
    client = undefined;
    const child = server;
    server = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    child.kill("SIGCONT");
    await ended;
  }

  /** Also for a program that ends with an error: nobody else would end the server then. */
  function cleanUp(): void {
    server?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }

  process.once("exit", cleanUp);
  t?.after(async () => {
    await stop();
    process.off("exit", cleanUp);
    cleanUp();
  });
  for (let attempt = 1; ; attempt++) {
    port = await freePort();
    if (await start()) break;
    if (attempt === 5) throw new Error(`redis-server ended at once, last on port ${port}.`);
  }

  return {
    get port() {
      return port;
    },
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get pid() {
      if (server?.pid === undefined) throw new Error("redis-server does not run.");
      return server.pid;
    },
    stop,
    async restart() {
      await stop("SIGTERM");
      if (!(await start())) throw new Error(`redis-server did not start again on port ${port}.`);
    },
    suspend: () => void server?.kill("SIGSTOP"),
    resume: () => void server?.kill("SIGCONT"),
    call(command, ...rest) {
      client ??= connect();
      return client.call(command, ...rest);
    },
  };
}
