/** A Redis Cluster of a test's own: three masters, each with a third of the hash slots. */
import type { TestContext } from "node:test";
import { HASH_SLOTS } from "../../src/redis/hash-slot.ts";
import type { RedisEndpoint } from "../../src/redis/settings.ts";
import { freePort } from "./free-port.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";
import { until } from "./until.ts";

const MASTERS = 3;

export interface RedisCluster {
  readonly nodes: readonly RedisEndpoint[];
  /** The masters at the start. */
  readonly servers: readonly RedisServer[];
  /** `replicas[n]` follows `servers[n]`; empty unless asked for. */
  readonly replicas: readonly RedisServer[];
  /** The master that holds the slot, as the master itself sees it. */
  ownerOf(slot: number): Promise<RedisServer>;
  /** Hands the slot with its keys to another master, as resharding does. Gives that master. */
  moveSlot(slot: number): Promise<RedisServer>;
}

export interface RedisClusterOptions {
  /** Gives each master one that takes its place when it is lost. */
  readonly hasReplicas?: boolean;
  /** How long a master may be silent before it is taken for lost. */
  readonly nodeTimeoutMs?: number;
}

/** Resolves when every master agrees that the cluster is complete; it ends with the test. */
export async function startRedisCluster(
  t: Pick<TestContext, "after"> | undefined,
  { hasReplicas = false, nodeTimeoutMs = 2_000 }: RedisClusterOptions = {},
): Promise<RedisCluster> {
  const servers: RedisServer[] = [];
  const replicas: RedisServer[] = [];

  async function startNode(): Promise<{ server: RedisServer; busPort: string }> {
    const busPort = `${await freePort()}`;
    const args = [
      "--cluster-enabled",
      "yes",
      "--cluster-port",
      busPort,
      "--cluster-node-timeout",
      `${nodeTimeoutMs}`,
      "--repl-diskless-sync-delay",
      "0",
    ];
    return { server: await startRedis(t, { args }), busPort };
  }

  for (let n = 0; n < MASTERS; n++) {
    const { server, busPort } = await startNode();
    const [first, last] = [n, n + 1].map((part) => Math.floor((part * HASH_SLOTS) / MASTERS));
    await server.call("CLUSTER", "ADDSLOTSRANGE", first ?? 0, (last ?? 0) - 1);
    await server.call("CLUSTER", "SET-CONFIG-EPOCH", n + 1);
    const [one] = servers;
    // The bus port has to be said: it does not follow from the port.
    if (one !== undefined) {
      await one.call("CLUSTER", "MEET", "127.0.0.1", server.port, busPort);
    }
    servers.push(server);
  }
  for (const master of hasReplicas ? servers : []) {
    const { server, busPort } = await startNode();
    await master.call("CLUSTER", "MEET", "127.0.0.1", server.port, busPort);
    const masterId = String(await master.call("CLUSTER", "MYID"));
    await until("the replica knows its master", async () =>
      String(await server.call("CLUSTER", "NODES")).includes(masterId),
    );
    await server.call("CLUSTER", "REPLICATE", masterId);
    replicas.push(server);
  }
  for (const server of [...servers, ...replicas]) {
    await until("the cluster is complete", async () => {
      const info = String(await server.call("CLUSTER", "INFO"));
      const known = `cluster_known_nodes:${servers.length + replicas.length}\r`;
      return info.includes("cluster_state:ok") && info.includes(known);
    });
  }
  for (const replica of replicas) {
    await until("the replica has what its master has", async () =>
      String(await replica.call("INFO", "replication")).includes("master_link_status:up"),
    );
  }

  async function ownerOf(slot: number): Promise<RedisServer> {
    for (const server of servers) {
      const ranges = (await server.call("CLUSTER", "SLOTS")) as [
        number,
        number,
        [string, number],
      ][];
      const found = ranges.find(([first, last]) => first <= slot && slot <= last);
      if (found?.[2][1] === server.port) return server;
    }
    throw new Error(`No master holds slot ${slot}.`);
  }

  async function moveSlot(slot: number): Promise<RedisServer> {
    const from = await ownerOf(slot);
    const to = servers.find((server) => server !== from);
    if (to === undefined) throw new Error("There is no other master.");
    const [fromId, toId] = [
      String(await from.call("CLUSTER", "MYID")),
      String(await to.call("CLUSTER", "MYID")),
    ];
    await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
    await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
    for (;;) {
      const keys = (await from.call("CLUSTER", "GETKEYSINSLOT", slot, 100)) as string[];
      if (keys.length === 0) break;
      await from.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", ...keys);
    }
    for (const server of [to, from, ...servers]) {
      await server.call("CLUSTER", "SETSLOT", slot, "NODE", toId);
    }
    return to;
  }

  return {
    nodes: servers.map(({ port }) => ({ host: "127.0.0.1", port })),
    servers,
    replicas,
    ownerOf,
    moveSlot,
  };
}
