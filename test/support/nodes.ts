/** Several nodes in this process that share a Redis of their own, as they would stand behind a load balancer. */
import type { TestContext } from "node:test";
import type { ConfigInput } from "../../src/config/config.ts";
import { readExposition } from "../observability/exposition.ts";
import { sendSigned } from "./http-request.ts";
import { type Pipit, startPipit } from "./pipit.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

export interface Nodes {
  readonly redis: RedisServer;
  readonly nodes: readonly Pipit[];
}

export interface NodesOptions {
  readonly app?: Parameters<typeof startPipit>[1];
  readonly config?: ConfigInput;
  /** Further arguments of redis-server. */
  readonly redisArgs?: readonly string[];
}

/** Redis ends last, so that the nodes can say good-bye. */
export async function startNodes(
  t: TestContext,
  count: number,
  { app, config, redisArgs = [] }: NodesOptions = {},
): Promise<Nodes> {
  const closers: (() => unknown)[] = [];
  const redis = await startRedis(
    { after: (close) => void (close && closers.push(close as () => unknown)) },
    { args: redisArgs },
  );
  try {
    const start = () => startPipit(t, app, { ...config, redis: { url: redis.url } });
    const nodes = await Promise.all(Array.from({ length: count }, start));
    return { redis, nodes };
  } finally {
    // Hooks run in the order in which they were registered: those of the nodes come first.
    for (const close of closers) t.after(async () => void (await close()));
  }
}

/** The node at `index`. Throws where there is none, so that tests need not ask. */
export function nodeAt({ nodes }: Nodes, index: number): Pipit {
  const node = nodes[index];
  if (node === undefined) throw new RangeError(`There is no node ${index} of ${nodes.length}.`);
  return node;
}

/** What a node answers to a signed GET below `/apps/{id}`. Throws unless it is a 200. */
export async function readFrom(
  node: Pipit,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const { status, text, json } = await sendSigned(node.port, { method: "GET", path, query });
  if (status !== 200) throw new Error(`${path} was answered with ${status}: ${text}`);
  return json;
}

/** The value of a metric, summed over the series that have the labels. */
export async function metricOf(
  node: Pipit,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { port } = node.server.address()?.metrics ?? {};
  const reply = await fetch(`http://127.0.0.1:${port}/metrics`);
  const family = readExposition(await reply.text()).get(`pipit_${name}`);
  if (family === undefined) throw new Error(`There is no metric ${name}.`);
  return family.series
    .filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
