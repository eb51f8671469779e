/** The servers of `npm run bench -- --cluster`: two nodes on one Redis, and a server that is alone, without any. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisServer } from "../../test/support/redis-server.ts";
import { BENCH_APP, type Endpoint, OTHER_APP } from "./endpoint.ts";
import { createHttpClient } from "./http-client.ts";
import { freePort } from "./server-process.ts";
import { openSide, type SideConfig, type SideOptions } from "./sides.ts";

export interface Node {
  readonly endpoint: Endpoint;
  readonly pid: number;
  /** The value of a counter of its metrics without labels besides the port, without the prefix. */
  metric(name: string): Promise<number>;
  close(): Promise<void>;
}

export interface Nodes {
  readonly redis: RedisServer;
  readonly alone: Node;
  /** Where what is measured is published. */
  readonly publishing: Node;
  readonly other: Node;
  close(): Promise<void>;
}

const READY = Buffer.from("GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
const READY_WITHIN_MS = 20_000;

/** Resolves when all of them are ready. `keyPrefix`: clusters with another one share nothing but the Redis. */
export async function openNodes(
  options: SideOptions,
  redis: RedisServer,
  keyPrefix: string,
): Promise<Nodes> {
  const shared = { redis: { url: redis.url, key_prefix: keyPrefix } };
  const opened: Node[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((node) => node.close()));
  };
  const open = async (server: SideConfig["server"]): Promise<Node> => {
    const node = await openNode(options, server);
    opened.push(node);
    await ready(node.endpoint);
    return node;
  };
  try {
    const alone = await open({});
    const publishing = await open(shared);
    const other = await open(shared);
    return { redis, alone, publishing, other, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openNode(options: SideOptions, server: SideConfig["server"]): Promise<Node> {
  const metrics = { enabled: true, host: "127.0.0.1", port: await freePort() };
  const { endpoint, pid, close } = await openSide("pipit", options, {
    apps: [BENCH_APP, OTHER_APP],
    server: { metrics, ...server },
  });
  if (pid === undefined) throw new Error("The server's process is not known.");
  return {
    endpoint,
    pid,
    close,
    async metric(name) {
      const page = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
      const value = new RegExp(`^pipit_${name}\\{port="\\d+"\\} (.+)$`, "m").exec(page)?.[1];
      if (value === undefined) throw new Error(`There is no metric pipit_${name}.`);
      return Number(value);
    },
  };
}

async function ready(endpoint: Endpoint): Promise<void> {
  const connection = createHttpClient(endpoint);
  const deadlineMs = Date.now() + READY_WITHIN_MS;
  try {
    for (;;) {
      const status = await new Promise((resolve) => connection.send(READY, resolve));
      if (status === 200) return;
      if (Date.now() > deadlineMs) throw new Error(`A node is not ready: ${status}.`);
      await delay(50);
    }
  } finally {
    connection.close();
  }
}
