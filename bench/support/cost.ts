/** What something costs in CPU time: of this process, where all nodes live, and of a Redis. */
import type { RedisServer } from "../../test/support/redis-server.ts";

/** CPU time in µs per operation: of all nodes together, and of Redis. */
export interface Cost {
  readonly nodesUs: number;
  readonly redisUs: number;
}

/** `run` does this many operations. Asking Redis for its own time is in the figure: a command in thousands. */
export async function measureCost(
  server: Pick<RedisServer, "call">,
  operations: number,
  run: () => Promise<void>,
): Promise<Cost> {
  const redisBeforeUs = await redisCpuUs(server);
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  const redisUs = (await redisCpuUs(server)) - redisBeforeUs;
  return { nodesUs: (user + system) / operations, redisUs: redisUs / operations };
}

export async function redisVersion(server: Pick<RedisServer, "call">): Promise<string> {
  return /^redis_version:(\S+)/m.exec(await info(server, "server"))?.[1] ?? "unknown";
}

async function redisCpuUs(server: Pick<RedisServer, "call">): Promise<number> {
  const text = await info(server, "cpu");
  const seconds = (name: string): number =>
    Number(new RegExp(`^${name}:(.+)$`, "m").exec(text)?.[1]);
  return (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6;
}

async function info(server: Pick<RedisServer, "call">, section: string): Promise<string> {
  return String(await server.call("INFO", section));
}
