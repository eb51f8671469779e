import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createBus } from "../../src/redis/create-bus.ts";
import { createGate } from "../../src/redis/gate.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { encodeFrameMessage } from "../../src/redis/message.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";
import type { Link, Subscribers } from "../../src/redis/subscribers.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { startTcpRelay } from "../support/tcp-relay.ts";
import { until } from "../support/until.ts";
import { openConnections } from "./open-connections.ts";

const MESSAGE = encodeFrameMessage("event", "n", "x");

describe("hearing topics", () => {
  test("topics of one turn are asked for in portions of 128", async (t) => {
    const { server, bus, topic } = await open(t);
    const before = await calls(server, "subscribe");
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => bus.subscribe(topic(`room-${n}`))));
    assert.equal((await calls(server, "subscribe")) - before, 8);
    for (let n = 0; n < 1_000; n++) await bus.publish(topic(`room-${n}`), MESSAGE);
    await until("all have come", () => bus.counters.received === 1_000);
  });

  test("a topic lingers for whoever returns, and is left once nobody has", async (t) => {
    const { server, bus, topic } = await open(t, { lingerMs: 50 });
    await bus.subscribe(topic("a"));
    const subscribes = await calls(server, "subscribe");
    bus.unsubscribe(topic("a"));
    await bus.subscribe(topic("a"));
    assert.equal(await calls(server, "subscribe"), subscribes);
    bus.unsubscribe(topic("a"));
    await until("it is left", async () => (await hearers(server, topic("a"))) === 0);
    assert.equal(bus.topics, 1, "the probe's own");
  });

  test("many topics are left in portions", async (t) => {
    const { server, bus, topic } = await open(t, { lingerMs: 20 });
    const names = Array.from({ length: 500 }, (_, n) => topic(`room-${n}`));
    await Promise.all(names.map((name) => bus.subscribe(name)));
    for (const name of names) bus.unsubscribe(name);
    await until("they are left", async () => (await heardTopics(server)) === 1);
    assert.ok((await calls(server, "unsubscribe")) <= 8);
  });

  test("what comes on a topic that only lingers is dropped and counted", async (t) => {
    const { bus, topic, messages } = await open(t);
    await bus.subscribe(topic("a"));
    await bus.subscribe(topic("b"));
    bus.unsubscribe(topic("a"));
    await bus.publish(topic("a"), MESSAGE);
    await bus.publish(topic("b"), MESSAGE);
    await until("the marker has come", () => messages.length > 0);
    assert.deepEqual(messages, [topic("b")]);
    assert.equal(bus.counters.unheardMessages, 1);
  });

  test("a topic with two references is heard until both are gone", async (t) => {
    const { server, bus, topic, messages } = await open(t, { lingerMs: 20 });
    await Promise.all([bus.subscribe(topic("a")), bus.subscribe(topic("a"))]);
    await bus.subscribe(topic("b"));
    bus.unsubscribe(topic("a"));
    bus.unsubscribe(topic("b"));
    await until("b is left", async () => (await hearers(server, topic("b"))) === 0);
    await bus.publish(topic("a"), MESSAGE);
    await until("a is heard", () => messages.length === 1);
    bus.unsubscribe(topic("a"));
    bus.unsubscribe(topic("a"));
    bus.unsubscribe(topic("never heard"));
    await until("a is left", async () => (await hearers(server, topic("a"))) === 0);
  });

  test("messages of a version or kind that is not known are counted and dropped", async (t) => {
    const { bus, topic, messages } = await open(t);
    await bus.subscribe(topic("a"));
    for (const bytes of [[2, 1, 0, 0], [1, 99, 0], []]) {
      await bus.publish(topic("a"), Buffer.from(bytes));
    }
    await bus.publish(topic("a"), MESSAGE);
    await until("the marker has come", () => messages.length > 0);
    assert.equal(bus.counters.unknownMessages, 3);
    assert.equal(messages.length, 1);
  });

  test("random joining and leaving ends with exactly the topics that are wanted", async (t) => {
    const { server, bus, topic } = await open(t, { lingerMs: 5 });
    const references = new Map<string, number>();
    let seed = 7;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    for (let step = 0; step < 3_000; step++) {
      const name = topic(`room-${Math.floor(random() * 50)}`);
      const before = references.get(name) ?? 0;
      if (random() < 0.5) {
        references.set(name, before + 1);
        // Who leaves before it is heard is told so.
        bus.subscribe(name).catch((error) => assert.match(String(error), /Nobody wants the topic/));
      } else if (before > 0) {
        references.set(name, before - 1);
        bus.unsubscribe(name);
      }
      if (step % 100 === 0) await bus.publish(topic("marker"), MESSAGE);
    }
    const wanted = [...references].filter(([, count]) => count > 0).map(([name]) => name);
    await until(
      "the unwanted are left",
      async () => (await heardTopics(server)) === wanted.length + 1,
    );
    for (const name of wanted) assert.equal(await hearers(server, name), 1, name);
  });
});

describe("hearing again", () => {
  test("topics are heard again after the connection was cut, and their keepers are told", async (t) => {
    const { server, connections, bus, topic, messages, again } = await open(t);
    const names = Array.from({ length: 300 }, (_, n) => topic(`room-${n}`));
    await Promise.all(names.map((name) => bus.subscribe(name)));
    assert.equal(again.length, 0);
    await server.call("CLIENT", "KILL", "TYPE", "pubsub");
    await until("all are heard again", () => again.length === 301);
    assert.deepEqual(
      names.filter((name) => !again.includes(name)),
      [],
    );
    await until("Redis is there", () => connections.isUp());
    for (const name of names) await bus.publish(name, MESSAGE);
    await until("all have come", () => messages.length === 300);
    assert.equal(bus.counters.resubscriptions, 301);
  });

  test("topics are heard again after a restart of Redis, those asked for meanwhile without being told", async (t) => {
    const { server, connections, bus, topic, messages, again } = await open(t);
    await bus.subscribe(topic("a"));
    await server.stop();
    await until("Redis is away", () => !connections.isUp());
    const asked = bus.subscribe(topic("b"));
    await server.restart();
    await asked;
    await until("a is heard again", () => again.includes(topic("a")));
    assert.equal(again.includes(topic("b")), false);
    await until("Redis is there", () => connections.isUp());
    for (const name of ["a", "b"]) await bus.publish(topic(name), MESSAGE);
    await until("both have come", () => messages.length === 2);
  });

  test("a connection that looks alive and is deaf is found by the probe, and made anew", async (t) => {
    const server = await startRedis(t);
    const relay = await startTcpRelay(t, server.port);
    const settings = { url: `redis://127.0.0.1:${relay.port}`, probeIntervalMs: 40 };
    const { bus, topic, messages, again } = await openOn(t, server, settings);
    await bus.subscribe(topic("a"));
    const before = relay.connections;
    const clients = String(await server.call("CLIENT", "LIST", "TYPE", "pubsub"));
    relay.deafen(Number(/ addr=127\.0\.0\.1:(\d+) /.exec(clients)?.[1]));
    await until("the probe finds it", () => bus.counters.probeFailures === 1);
    await until("a is heard again", () => again.includes(topic("a")));
    assert.ok(relay.connections > before);
    await bus.publish(topic("a"), MESSAGE);
    await until("the message has come", () => messages.length === 1);
  });

  test("a Redis that hangs for a while costs no connection: the probe knows that nothing was sent", async (t) => {
    const { server, connections, bus, topic, messages, again } = await open(t, {
      probeIntervalMs: 30,
      publishTimeoutMs: 50,
      commandTimeoutMs: 50,
    });
    await bus.subscribe(topic("a"));
    server.suspend();
    await until("Redis is away", () => !connections.isUp());
    await until("publishes are refused", () => bus.counters.publishFailures >= 5);
    server.resume();
    await until("Redis is there", () => connections.isUp());
    await bus.publish(topic("a"), MESSAGE);
    await until("the message has come", () => messages.length > 0);
    assert.equal(bus.counters.probeFailures, 0);
    assert.deepEqual(again, []);
  });
});

describe("publishing", () => {
  test("publishes of one turn go in few writes, and arrive in order", async (t) => {
    const { server, bus, topic } = await open(t);
    const frames: string[] = [];
    const hearer = await openConnections(t, { url: server.url }, (other) =>
      other.bus.on("event", (_topic, bytes) => frames.push(bytes.toString("utf8", 5))),
    );
    await hearer.bus.subscribe(topic("a"));
    const sent = Array.from({ length: 2_000 }, (_, n) => `${n}`);
    await Promise.all(
      sent.map((frame) => bus.publish(topic("a"), encodeFrameMessage("event", "n", frame))),
    );
    await until("all have come", () => frames.length === sent.length);
    assert.deepEqual(frames, sent);
  });

  test("nothing is kept for a Redis that is away or hangs, whatever is published", async (t) => {
    const { server, connections, bus, topic } = await open(t, {
      publishTimeoutMs: 50,
      maxInFlight: 100,
    });
    await bus.subscribe(topic("a"));
    const publishAll = () =>
      Promise.allSettled(Array.from({ length: 20_000 }, () => bus.publish(topic("a"), MESSAGE)));
    server.suspend();
    await publishAll();
    const { refusedFull, timeouts } = connections.counters.publishes;
    assert.deepEqual([refusedFull, timeouts], [19_900, 100]);
    await publishAll();
    assert.equal(connections.counters.publishes.refusedSilent, 20_000);
    server.resume();
    await until("Redis is there", () => connections.isUp());
    await server.stop();
    await until("Redis is away", () => !connections.isUp());
    await publishAll();
    await server.restart();
    await until("Redis is back", () => connections.isUp());
    await bus.publish(topic("a"), MESSAGE);
    assert.equal(bus.counters.publishFailures, 60_000);
  });
});

describe("the bus by itself", () => {
  test("lets no more callers of subscribe wait than are allowed", async () => {
    const { bus, topic } = openAlone();
    const waiting = Array.from({ length: 100_000 }, (_, n) => bus.subscribe(topic(`${n}`)));
    const settled = Promise.allSettled(waiting);
    await assert.rejects(bus.subscribe(topic("one more")), /100000 subscriptions wait/);
    bus.close();
    assert.ok((await settled).every(({ status }) => status === "rejected"));
  });

  test("who gives up while it waits takes nothing from whoever comes later", async (t) => {
    const { bus, topic, answers } = openAlone({ subscribeTimeoutMs: 60, lingerMs: 20 });
    t.after(() => bus.close());
    const early = bus.subscribe(topic("a"));
    bus.unsubscribe(topic("a"));
    await assert.rejects(early, /Nobody wants the topic/);
    const late = bus.subscribe(topic("a"));
    await until("it is asked for again", () => answers.length === 2);
    answers[1]?.resolve();
    await late;
    bus.unsubscribe(topic("a"));
    await until("it is left", () => bus.topics === 0);
  });

  test("of two who wait in vain and one who gave up, each gives back one reference", async (t) => {
    const { bus, topic, answers } = openAlone({ subscribeTimeoutMs: 40, lingerMs: 1_000 });
    t.after(() => bus.close());
    const messages: string[] = [];
    bus.on("event", (name) => messages.push(name));
    const waiting = [bus.subscribe(topic("a")), bus.subscribe(topic("a"))];
    bus.unsubscribe(topic("a"));
    for (const each of waiting) await assert.rejects(each, /not heard in 40 ms/);
    answers[0]?.resolve();
    await bus.subscribe(topic("a"));
    bus.events.message(Buffer.from(topic("a")), MESSAGE);
    assert.deepEqual(messages, [topic("a")]);
  });

  test("a command that is refused is tried again, with the topics that are still wanted", async (t) => {
    const { bus, topic, link, answers } = openAlone();
    t.after(() => bus.close());
    const asked = bus.subscribe(topic("a"));
    await until("it is asked for", () => answers.length === 1);
    answers[0]?.reject(new Error("MOVED 1 127.0.0.1:1"));
    await until("it is asked for again", () => answers.length === 2);
    answers[1]?.resolve();
    await asked;
    assert.deepEqual(link.asked, [[topic("a")], [topic("a")]]);
  });

  test("topics of a partition that another link hears from now on are asked for there", async (t) => {
    const { bus, topic, link, answers, moveTo } = openAlone();
    t.after(() => bus.close());
    const again: string[] = [];
    bus.onResubscribed((topics) => again.push(...topics));
    const asked = bus.subscribe(topic("a"));
    await until("it is asked for", () => answers.length === 1);
    answers[0]?.resolve();
    await asked;
    bus.events.ownersChanged();
    assert.equal(link.asked.length, 1, "nothing has changed for it");
    moveTo({ ...link, master: "other" });
    bus.events.ownersChanged();
    assert.equal(link.asked.length, 2);
    answers[1]?.resolve();
    await until("its keeper is told", () => again.length === 1);
  });

  test("an acknowledgement of a connection that is lost is void", async (t) => {
    const { bus, topic, link, answers } = openAlone();
    t.after(() => bus.close());
    let isHeard = false;
    const asked = bus.subscribe(topic("a")).then(() => {
      isHeard = true;
    });
    await until("it is asked for", () => answers.length === 1);
    bus.events.lost(link);
    bus.events.ready(link);
    answers[0]?.resolve();
    await until("it is asked for again", () => answers.length === 2);
    assert.equal(isHeard, false);
    answers[1]?.resolve();
    await asked;
  });
});

interface Answer {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A bus over one link that answers when the test says so. */
function openAlone({ subscribeTimeoutMs = 5_000, lingerMs = 50 } = {}) {
  const keys = createKeys();
  const answers: Answer[] = [];
  const asked: (readonly string[])[] = [];
  const link: Link & { readonly asked: typeof asked } = {
    master: "",
    asked,
    isReady: () => true,
    subscribe(topics) {
      asked.push(topics);
      return new Promise((resolve, reject) => answers.push({ resolve, reject }));
    },
    unsubscribe() {},
    reconnect() {},
  };
  let owner: Link = link;
  const subscribers: Subscribers = {
    linkOf: () => owner,
    links: () => [link],
    isReady: () => true,
    start() {},
    close() {},
    refresh() {},
  };
  const bus = createBus({
    keys,
    isCluster: false,
    gate: createGate({ timeoutMs: 50, maxInFlight: 1, onChange() {}, observe() {} }),
    publisher: () => Promise.reject(new Error("There is none.")),
    laneOf: () => "",
    canReach: () => false,
    subscribeTimeoutMs,
    lingerMs,
  });
  bus.start(subscribers);
  const moveTo = (other: Link): void => {
    owner = other;
  };
  return { bus, link, answers, moveTo, topic: (channel: string) => keys.topic("1", channel) };
}

async function open(t: TestContext, settings: RedisSettings = {}) {
  const server = await startRedis(t);
  return { server, ...(await openOn(t, server, { url: server.url, ...settings })) };
}

/** Heard from here on is only the topic of the probe. */
async function openOn(t: TestContext, server: RedisServer, settings: RedisSettings) {
  const messages: string[] = [];
  const again: string[] = [];
  const connections = await openConnections(t, settings, ({ bus }) => {
    bus.on("event", (topic) => messages.push(topic));
    bus.onResubscribed((topics) => again.push(...topics));
  });
  const topic = (channel: string): string => connections.keys.topic("1", channel);
  await until("the probe is heard", async () => (await heardTopics(server)) === 1);
  return { connections, bus: connections.bus, topic, messages, again };
}

/** How often the server has been asked for the command. */
async function calls(server: RedisServer, command: string): Promise<number> {
  const stats = String(await server.call("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

async function heardTopics(server: RedisServer): Promise<number> {
  return ((await server.call("PUBSUB", "CHANNELS")) as string[]).length;
}

async function hearers(server: RedisServer, topic: string): Promise<number> {
  const [, count] = (await server.call("PUBSUB", "NUMSUB", topic)) as [string, number];
  return count;
}
