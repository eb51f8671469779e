import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Cluster } from "ioredis";
import { createRedisCacheStore } from "../../src/cache/redis-cache-store.ts";
import { createClients } from "../../src/redis/clients.ts";
import { reportConnections } from "../../src/redis/connection-counts.ts";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { encodeFrameMessage } from "../../src/redis/message.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis-cluster.ts";
import { until } from "../support/until.ts";
import { openConnections } from "./open-connections.ts";

const MESSAGE = encodeFrameMessage("event", "n", "x");

describe("on a Redis Cluster", () => {
  let cluster: RedisCluster;
  const closers: (() => unknown)[] = [];
  before(async () => {
    cluster = await startRedisCluster({
      after: (close) => void closers.push(close as () => unknown),
    });
  });
  after(async () => {
    for (const close of closers) await close();
  });

  test("topics of every partition are heard, each from its own master, through sharded commands", async (t) => {
    const { bus, topic, messages, keys } = await open(t);
    const names = Array.from({ length: 500 }, (_, n) => topic(`room-${n}`));
    await Promise.all(names.map((name) => bus.subscribe(name)));
    await Promise.all(names.map((name) => bus.publish(name, MESSAGE)));
    await until("all have come", () => messages.length === 500);
    assert.deepEqual([...messages].sort(), [...names].sort());
    assert.equal(bus.publishCommand, "SPUBLISH");
    const heard = await Promise.all(
      cluster.servers.map(async (server) => {
        const shard = (await server.call("PUBSUB", "SHARDCHANNELS", `${keys.prefix}*`)) as string[];
        for (const name of shard) assert.equal(await cluster.ownerOf(hashSlot(name)), server);
        return shard.length;
      }),
    );
    assert.ok(
      heard.every((count) => count > 100),
      heard.join(),
    );
  });

  test("topics of one turn are asked for in portions of one partition", async (t) => {
    const { bus, topic, keys } = await open(t, { partitions: 4 });
    const before = await calls("ssubscribe");
    await Promise.all(Array.from({ length: 800 }, (_, n) => bus.subscribe(topic(`room-${n}`))));
    const asked = (await calls("ssubscribe")) - before;
    assert.ok(asked >= 7 && asked <= 11, `${asked} commands`);
    assert.equal(keys.partitions, 4);
  });

  test("scripts run on the master of their keys", async (t) => {
    const { connections, bus, keys } = await open(t);
    const { commands } = connections;
    const store = createRedisCacheStore({ commands, keys, publishCommand: bus.publishCommand });
    for (let n = 0; n < 40; n++) {
      const channel = `cache-${n}`;
      assert.equal(await store.getForSubscriber("1", channel, 60_000), undefined);
      await store.set("1", channel, { eventJson: '"e"', dataJson: `"${n}"` }, 60_000);
      assert.equal((await store.get("1", channel))?.dataJson, `"${n}"`);
    }
  });

  test("connections of an app are counted over all nodes", async (t) => {
    const { connections, keys } = await open(t);
    const report = (node: string, count: number) => {
      const app = { appId: "1", connections: count, maxConnections: 9 };
      return reportConnections(connections.commands, keys, node, 60_000, [app]);
    };
    await report("a", 2);
    assert.deepEqual([...(await report("b", 3)).totals], [["1", 5]]);
  });

  test("topics are left once nobody wants them", async (t) => {
    const { bus, topic, keys } = await open(t, { lingerMs: 20, probeIntervalMs: 50 });
    const names = Array.from({ length: 200 }, (_, n) => topic(`room-${n}`));
    await Promise.all(names.map((name) => bus.subscribe(name)));
    for (const name of names) bus.unsubscribe(name);
    await until("only the probes are heard", async () => {
      const heard = await Promise.all(
        cluster.servers.map((server) => server.call("PUBSUB", "SHARDCHANNELS", `${keys.prefix}*`)),
      );
      return heard.flat().length === 3;
    });
  });

  test("a topic whose slot moves is heard at its new master, and its keeper is told", async (t) => {
    const { bus, topic, messages, again } = await open(t);
    const names = Array.from({ length: 200 }, (_, n) => topic(`room-${n}`));
    await Promise.all(names.map((name) => bus.subscribe(name)));
    const [moved = ""] = names;
    await cluster.moveSlot(hashSlot(moved));
    await until("it is heard again", () => again.includes(moved));
    await Promise.all(names.map((name) => bus.publish(name, MESSAGE)));
    await until("all have come", () => messages.length === 200);
    assert.deepEqual([...messages].sort(), [...names].sort());
  });

  test("a slot that moves while messages flow costs few of them, and none twice", async (t) => {
    const { bus, keys, topic } = await open(t);
    const frames: string[] = [];
    const hearer = await open(t, {}, keys.prefix, (frame) => frames.push(frame));
    await hearer.bus.subscribe(topic("a"));
    let sent = 0;
    const publish = async (): Promise<void> => {
      await bus.publish(topic("a"), encodeFrameMessage("event", "n", `${sent++}`));
    };
    for (let n = 0; n < 50; n++) await publish();
    let isMoved = false;
    const moving = cluster.moveSlot(hashSlot(topic("a"))).then(() => {
      isMoved = true;
    });
    while (!isMoved) await publish();
    await moving;
    await until("what is published is heard again", async () => {
      await publish();
      return frames.includes(`${sent - 2}`);
    });
    const from = sent;
    for (let n = 0; n < 50; n++) await publish();
    await until("the last has come", () => frames.includes(`${sent - 1}`));
    t.diagnostic(`${from - frames.filter((frame) => Number(frame) < from).length} of ${from} lost`);
    assert.equal(new Set(frames).size, frames.length);
    assert.equal(frames.filter((frame) => Number(frame) >= from).length, 50);
  });

  test("memory is told of every master", async (t) => {
    const { connections } = await open(t);
    const memory = await connections.memory();
    assert.deepEqual(
      memory.map(({ policy }) => policy),
      ["noeviction", "noeviction", "noeviction"],
    );
  });

  test("a master that hangs makes no other partition wait", async (t) => {
    const { connections, bus, topic } = await open(t, { publishTimeoutMs: 100 });
    const [stopped] = cluster.servers;
    const owners = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        const name = topic(`room-${n}`);
        return { name, owner: await cluster.ownerOf(hashSlot(name)) };
      }),
    );
    const there = owners.find(({ owner }) => owner === stopped);
    const elsewhere = owners.find(({ owner }) => owner !== stopped);
    assert.ok(there !== undefined && elsewhere !== undefined);
    stopped?.suspend();
    t.after(() => stopped?.resume());
    await assert.rejects(bus.publish(there.name, MESSAGE), { code: "PIPIT_REDIS_UNAVAILABLE" });
    await bus.publish(elsewhere.name, MESSAGE);
    stopped?.resume();
    await until("all answer", () => connections.isUp());
  });

  test("what was under way when a connection was cut is done once, and its answer is said to be lost", async (t) => {
    const settings = { cluster: cluster.nodes };
    const client = createClients(settings, Math.random).commands();
    t.after(() => client.disconnect());
    await client.connect();
    const master = await cluster.ownerOf(hashSlot("once"));
    assert.ok(client instanceof Cluster);
    const node = client.nodes("master").find(({ options }) => options.port === master.port);
    await client.set("once", "0");
    const before = node?.stream.bytesWritten;
    master.suspend();
    t.after(() => master.resume());
    const answer = assert.rejects(client.incr("once"), /Connection is closed/);
    await until("it is sent", () => node?.stream.bytesWritten !== before);
    node?.stream.destroy();
    master.resume();
    await answer;
    await until("it is done", async () => (await master.call("GET", "once")) !== "0");
    await until(
      "the client is back",
      async () => (await client.get("once").catch(() => "")) !== "",
    );
    assert.equal(await client.get("once"), "1");
  });

  test("a client that is closed while it looks for moved slots keeps its process no longer", async (t) => {
    const [{ host, port } = { host: "", port: 0 }] = cluster.nodes;
    const program = fileURLToPath(new URL("./closing-client.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", program, host, `${port}`]);
    t.after(() => child.kill("SIGKILL"));
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    await until("it is closed", () => output.includes("closing"), 60_000);
    await until("its process ends", () => child.exitCode !== null);
    assert.deepEqual([child.exitCode, output], [0, "closing\n"]);
  });

  async function calls(command: string): Promise<number> {
    const stats = await Promise.all(
      cluster.servers.map((server) => server.call("INFO", "commandstats")),
    );
    const pattern = new RegExp(`cmdstat_${command}:calls=(\\d+)`);
    return stats.reduce<number>(
      (sum, each) => sum + Number(pattern.exec(String(each))?.[1] ?? 0),
      0,
    );
  }

  let deployments = 0;

  async function open(
    t: TestContext,
    settings: RedisSettings = {},
    keyPrefix = `cluster-${++deployments}:`,
    hear: (frame: string) => void = () => {},
  ) {
    const messages: string[] = [];
    const again: string[] = [];
    const connections = await openConnections(
      t,
      { cluster: cluster.nodes.slice(0, 1), keyPrefix, ...settings },
      ({ bus }) => {
        bus.on("event", (topic, bytes) => {
          messages.push(topic);
          hear(bytes.toString("utf8", 5));
        });
        bus.onResubscribed((topics) => again.push(...topics));
      },
    );
    const { bus, keys } = connections;
    return { connections, bus, keys, messages, again, topic: (c: string) => keys.topic("1", c) };
  }
});
