/** A sentinel of a test's own, which watches one master and promotes its replica quickly. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";
import { freePort } from "./free-port.ts";
import type { RedisServer } from "./redis-server.ts";
import { until } from "./until.ts";

export const MASTER_NAME = "main";

export interface RedisSentinel {
  readonly port: number;
  /** The port of the Redis that it holds for the master. */
  masterPort(): Promise<number>;
}

/** Resolves when it knows the master and its one replica. */
export async function startSentinel(
  t: Pick<TestContext, "after">,
  master: RedisServer,
): Promise<RedisSentinel> {
  const folder = mkdtempSync(join(tmpdir(), "pipit-sentinel-"));
  const port = await freePort();
  const file = join(folder, "sentinel.conf");
  writeFileSync(
    file,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${folder}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${MASTER_NAME} 300`,
      `sentinel failover-timeout ${MASTER_NAME} 2000`,
    ].join("\n"),
  );
  const child = spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
  const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 20 });
  client.on("error", () => {});
  t.after(async () => {
    client.disconnect();
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  await until("the sentinel knows the replica", async () => {
    const replicas = await client.call("SENTINEL", "REPLICAS", MASTER_NAME).catch(() => []);
    return (replicas as unknown[]).length === 1;
  });
  return {
    port,
    async masterPort() {
      const [, found] = (await client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)) as [
        string,
        string,
      ];
      return Number(found);
    },
  };
}
