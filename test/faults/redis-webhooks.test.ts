/** Webhooks while Redis or a dispatcher stops: what was decided still arrives, in order. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import { openConnections } from "../redis/open-connections.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint } from "../webhooks/fixtures.ts";
import { createOrderKeeper } from "../webhooks/order-keeper.ts";
import { openReceiver, status } from "../webhooks/receiver.ts";
import { openDispatcher } from "../webhooks/redis-dispatcher.ts";
import { createProducer } from "../webhooks/redis-producer.ts";

const PARTITIONS = 4;
const RETRY = { initialMs: 20, maxMs: 200, budgetMs: 600_000 };

async function setUp(t: TestContext, server: RedisServer) {
  const keeper = createOrderKeeper();
  const receiver = await openReceiver(t, (delivery, response) => {
    delivery.ids.forEach((id, at) => {
      keeper.arrived(id, `${delivery.events[at]?.channel}`);
    });
    response.writeHead(200).end();
  });
  const apps = appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] }));
  const redis = { url: server.url, partitions: PARTITIONS, commandTimeoutMs: 300 };
  const { commands, keys, bus } = await openConnections(t, redis);
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  let decided = 0;

  /** Decides an event; false when Redis did not say that it has it. */
  async function decide(): Promise<boolean> {
    const channel = `room-${decided++ % 10}`;
    try {
      keeper.expect(
        await producer.append("app", channel, channelEvent("channel_occupied", channel)),
      );
      return true;
    } catch (error) {
      if (error instanceof RedisUnavailableError) return false;
      throw error;
    }
  }

  async function decideMany(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await until("Redis takes an event", decide);
  }

  const open = () => openDispatcher(t, { apps, redis, settings: { retry: RETRY } });
  const allThere = () => until("every event has arrived", () => keeper.waiting <= 0, 20_000);
  return { keeper, receiver, keys, open, decideMany, allThere };
}

test("no event is missing after Redis was killed under load and came back from its file", async (t) => {
  const server = await startRedis(t, { args: ["--appendonly", "yes", "--appendfsync", "always"] });
  const { keeper, open, decideMany, allThere } = await setUp(t, server);
  await Promise.all([open(), open()]);
  for (let kill = 0; kill < 2; kill++) {
    const load = decideMany(300);
    await until("events are on their way", () => keeper.waiting > 5);
    await server.stop("SIGKILL");
    await server.restart();
    await load;
  }
  await allThere();
  assert.equal(keeper.counts.unordered, 0);
});

test("no event is missing after Redis stood still for longer than the leases last", async (t) => {
  const server = await startRedis(t);
  const { keeper, open, decideMany, allThere } = await setUp(t, server);
  const dispatchers = await Promise.all([open(), open()]);
  await decideMany(50);
  server.suspend();
  const load = decideMany(100);
  const failures = () => dispatchers.reduce((sum, { outbox }) => sum + outbox.counters.failures, 0);
  const looks = dispatchers[0].looks() + 4;
  await until("looks have failed for as long as a lease lasts", () => {
    return failures() > 0 && dispatchers[0].looks() >= looks;
  });
  server.resume();
  await load;
  await allThere();
  assert.equal(keeper.counts.unordered, 0);
});

test("what is decided after Redis has lost everything arrives, with later ids", async (t) => {
  const server = await startRedis(t);
  const { keeper, open, decideMany, allThere, keys } = await setUp(t, server);
  const dispatcher = await open();
  await decideMany(20);
  await allThere();
  await server.call("FLUSHALL");
  for (let p = 0; p < PARTITIONS; p++) {
    await server.call("HSET", keys.key(p, "meta"), "#epoch", Date.now());
  }
  const { commands, bus } = dispatcher.redis;
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  const before = keeper.counts.unordered;
  for (let i = 0; i < 20; i++) {
    const channel = `room-${i % 10}`;
    const event = channelEvent("channel_occupied", channel);
    keeper.expect(await producer.append("app", channel, event));
  }
  await allThere();
  assert.equal(keeper.counts.unordered, before, "a new epoch makes later ids");
});

test("an owner that slept while its successor came and died skips nothing", async (t) => {
  const server = await startRedis(t);
  const { keeper, receiver, keys, open, decideMany, allThere } = await setUp(t, server);
  const { respond } = receiver;
  const path = new URL("./redis-dispatcher-process.ts", import.meta.url).pathname;
  const sleeper = spawn(
    process.execPath,
    ["--import", "tsx", path, server.url, `${PARTITIONS}`, receiver.url],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = once(sleeper, "exit");
  t.after(async () => {
    sleeper.kill("SIGKILL");
    await ended;
  });
  const lease = () => server.call("GET", keys.key(0, "disp"));
  await until("it owns the partitions", async () => (await lease()) === "sleeper");
  await decideMany(20);
  await allThere();

  receiver.respond = status(500);
  await decideMany(20);
  await until("it has tried", () => receiver.deliveries.some(({ ids }) => ids.length > 0));
  sleeper.kill("SIGSTOP");
  const successor = await open();
  await until("its successor owns everything", () => successor.outbox.owned === PARTITIONS);
  await decideMany(40);
  await until("all is routed", async () => {
    const lengths = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, p) => server.call("XLEN", keys.key(p, "ev"))),
    );
    return lengths.every((length) => length === 0);
  });
  await successor.crash();
  receiver.respond = respond;
  sleeper.kill("SIGCONT");
  await decideMany(20);
  await allThere();
  assert.equal(keeper.counts.unordered, 0);
});
