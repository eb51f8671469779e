import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Adapter, DeliverLocally, MessageKind } from "../../src/adapters/adapter.ts";
import { createRedisAdapter, type RedisAdapter } from "../../src/adapters/redis-adapter.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections, type RedisConnections } from "../../src/redis/connections.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";
import { adapterContract } from "./adapter-contract.ts";

interface Message {
  readonly kind: MessageKind;
  readonly topic: string;
  readonly frame: string;
  readonly except: string | undefined;
}

interface Node {
  readonly connections: RedisConnections;
  readonly adapter: RedisAdapter;
  readonly delivered: Message[];
}

const QUICK: RedisSettings = { publishTimeoutMs: 300, subscribeTimeoutMs: 300, lingerMs: 20 };

describe("redis", () => {
  const shared = shareRedis();

  adapterContract("redis", 3, async (deliver) => {
    const keyPrefix = shared.keyPrefix();
    return Promise.all(
      deliver.map((each, n) =>
        openAdapter({ url: shared.server.url, keyPrefix }, `node-${n}`, each),
      ),
    );
  });

  /** An adapter whose connections are closed with it, as the contract asks. */
  async function openAdapter(
    settings: RedisSettings,
    nodeId: string,
    deliver: DeliverLocally,
  ): Promise<Adapter> {
    const connections = createRedisConnections(settings, SILENT_LOG, { nodeId });
    const { bus, keys } = connections;
    const adapter = createRedisAdapter({ bus, keys, nodeId, deliver });
    await connections.connect();
    return { ...adapter, close: () => connections.close() };
  }
});

describe("what only the redis adapter promises", () => {
  test("a node without a subscriber of a topic gets nothing of its traffic", async (t) => {
    const [sender, hearer, other] = await openNodes(t, 3);
    await hearer.adapter.subscribe("1:a");
    await other.adapter.subscribe("1:b");
    for (let n = 0; n < 50; n++) await sender.adapter.publish("event", "1:a", `${n}`);
    await sender.adapter.publish("event", "1:b", "end");
    await until("the marker has come", () => other.delivered.length > 0);
    await until("the messages have come", () => hearer.delivered.length === 50);
    assert.equal(other.connections.bus.counters.received, 1);
    assert.equal(sender.connections.bus.counters.received, 0);
  });

  test("a node delivers its own event once Redis has it, and drops the echo", async (t) => {
    const [node] = await openNodes(t, 1);
    await node.adapter.subscribe("1:a");
    const published = node.adapter.publish("event", "1:a", "x", "1.2");
    assert.deepEqual(node.delivered, []);
    await published;
    const expected = [{ kind: "event", topic: "1:a", frame: "x", except: "1.2" }];
    assert.deepEqual(node.delivered, expected);
    await until("the echo has come", () => node.adapter.counters.echoes === 1);
    assert.deepEqual(node.delivered, expected);
  });

  test("a client event is delivered here within the call, and elsewhere through Redis", async (t) => {
    const [sender, hearer] = await openNodes(t, 2);
    await hearer.adapter.subscribe("1:a");
    await sender.adapter.subscribe("1:a");
    assert.equal(sender.adapter.publish("client_event", "1:a", "x", "1.2"), undefined);
    const expected = [{ kind: "client_event", topic: "1:a", frame: "x", except: "1.2" }];
    assert.deepEqual(sender.delivered, expected);
    await until("the other node has it", () => hearer.delivered.length > 0);
    assert.deepEqual(hearer.delivered, expected);
  });

  test("a user's topic is named by any user id", async (t) => {
    const [sender, hearer] = await openNodes(t, 2);
    const topic = "1:#server-to-user-a:b}:m:é😀";
    await hearer.adapter.subscribe(topic);
    await sender.adapter.publish("event", topic, "x");
    await until("the message has come", () => hearer.delivered.length > 0);
    assert.equal(hearer.delivered[0]?.topic, topic);
  });

  test("a topic that was asked for twice is left with one unsubscribe", async (t) => {
    const [hearer] = await openNodes(t, 1);
    for (const _ of [1, 2]) await hearer.adapter.subscribe("1:a");
    await Promise.all([hearer.adapter.subscribe("1:b"), hearer.adapter.subscribe("1:b")]);
    assert.equal(hearer.connections.bus.topics, 3, "both and the probe's");
    for (const topic of ["1:a", "1:b"]) hearer.adapter.unsubscribe(topic);
    await until("the topics are given up", () => hearer.connections.bus.topics === 1);
  });

  test("a topic that is left while it is being asked for is not heard", async (t) => {
    const [sender, hearer] = await openNodes(t, 2);
    const asked = hearer.adapter.subscribe("1:a");
    hearer.adapter.unsubscribe("1:a");
    await asked;
    await until("the topic is given up", () => hearer.connections.bus.topics === 1);
    await hearer.adapter.subscribe("1:b");
    await sender.adapter.publish("event", "1:a", "never heard");
    await sender.adapter.publish("event", "1:b", "end");
    await until("the marker has come", () => hearer.delivered.length > 0);
    assert.deepEqual(
      hearer.delivered.map(({ frame }) => frame),
      ["end"],
    );
  });

  test("while Redis is away an event is refused before anybody gets it", async (t) => {
    const { server, nodes } = await openDeployment(t, 1);
    const [node] = nodes;
    await node.adapter.subscribe("1:a");
    await server.stop();
    await assert.rejects(async () => node.adapter.publish("event", "1:a", "x"), {
      code: "PIPIT_ADAPTER_UNAVAILABLE",
    });
    assert.deepEqual(node.delivered, []);
    assert.equal(node.adapter.counters.publishFailures, 1);
  });

  test("while Redis hangs an event is refused in time, later ones at once", async (t) => {
    const { server, nodes } = await openDeployment(t, 1);
    const [node] = nodes;
    server.suspend();
    await assert.rejects(async () => node.adapter.publish("event", "1:a", "x"), {
      code: "PIPIT_ADAPTER_UNAVAILABLE",
    });
    const startedMs = performance.now();
    for (let n = 0; n < 100; n++) {
      await assert.rejects(async () => node.adapter.publish("event", "1:a", "x"), {
        code: "PIPIT_ADAPTER_UNAVAILABLE",
      });
    }
    assert.ok(performance.now() - startedMs < 200);
    assert.deepEqual(node.delivered, []);
    assert.equal(node.connections.counters.publishes.refusedSilent, 100);
    server.resume();
    await until("Redis answers again", () => node.connections.isUp());
    await node.adapter.publish("event", "1:a", "back");
    assert.deepEqual(
      node.delivered.map(({ frame }) => frame),
      ["back"],
    );
  });

  test("while Redis is away client events reach this node's sockets, and failures are counted", async (t) => {
    const { server, nodes } = await openDeployment(t, 1);
    const [node] = nodes;
    await server.stop();
    for (let n = 0; n < 3; n++) {
      assert.equal(node.adapter.publish("client_event", "1:a", `${n}`), undefined);
    }
    assert.deepEqual(
      node.delivered.map(({ frame }) => frame),
      ["0", "1", "2"],
    );
    await until("they are counted", () => node.adapter.counters.clientEventFailures === 3);
  });

  test("while Redis is away terminate closes the connections here, and is refused", async (t) => {
    const { server, nodes } = await openDeployment(t, 1);
    const [node] = nodes;
    await server.stop();
    await assert.rejects(async () => node.adapter.publish("terminate", "1:#server-to-user-u", ""), {
      code: "PIPIT_ADAPTER_UNAVAILABLE",
    });
    assert.deepEqual(
      node.delivered.map(({ kind }) => kind),
      ["terminate"],
    );
  });

  test("while Redis is away subscribe is refused in time, and leaves nothing behind", async (t) => {
    const { server, nodes } = await openDeployment(t, 2);
    const [sender, hearer] = nodes;
    await server.stop();
    const asked = ["1:a", "1:a", "1:b"].map(async (topic) => hearer.adapter.subscribe(topic));
    for (const each of asked) await assert.rejects(each, { code: "PIPIT_ADAPTER_UNAVAILABLE" });
    hearer.adapter.unsubscribe("1:a");
    await server.restart();
    await until("both are back", () => nodes.every(({ connections }) => connections.isUp()));
    await until("the topics are given up", () => hearer.connections.bus.topics === 1);
    for (const topic of ["1:a", "1:b"]) {
      await hearer.adapter.subscribe(topic);
      await sender.adapter.publish("event", topic, "x");
    }
    await until("the messages have come", () => hearer.delivered.length === 2);
  });

  test("a restart of Redis shorter than the patience of subscribe is not noticed by who joins", async (t) => {
    const { server, nodes } = await openDeployment(t, 2, { subscribeTimeoutMs: 5_000 });
    const [sender, hearer] = nodes;
    await server.stop();
    const asked = hearer.adapter.subscribe("1:a");
    await server.restart();
    await asked;
    await until("both are back", () => nodes.every(({ connections }) => connections.isUp()));
    await sender.adapter.publish("event", "1:a", "end");
    await until("the message has come", () => hearer.delivered.length > 0);
  });
});

type Many<T> = readonly [T, T, T];

async function openNodes(t: TestContext, count: number): Promise<Many<Node>> {
  return (await openDeployment(t, count)).nodes;
}

/** `count` nodes, at most three, on a Redis of their own. */
async function openDeployment(
  t: TestContext,
  count: number,
  settings: RedisSettings = {},
): Promise<{ readonly server: RedisServer; readonly nodes: Many<Node> }> {
  const server = await startRedis(t);
  const nodes: Node[] = [];
  for (let n = 0; n < count; n++) {
    const nodeId = `node-${n}`;
    const connections = createRedisConnections(
      { url: server.url, ...QUICK, ...settings },
      SILENT_LOG,
      {
        nodeId,
      },
    );
    t.after(() => connections.close());
    const delivered: Message[] = [];
    const { bus, keys } = connections;
    const adapter = createRedisAdapter({
      bus,
      keys,
      nodeId,
      deliver: (kind, topic, frame, except) => delivered.push({ kind, topic, frame, except }),
    });
    await connections.connect();
    nodes.push({ connections, adapter, delivered });
  }
  return { server, nodes: nodes as unknown as Many<Node> };
}
