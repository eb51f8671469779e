/** The net under what tells of new events: what nobody here was told of is found and delivered all the same. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { openConnections } from "../redis/open-connections.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint } from "./fixtures.ts";
import { openReceiver } from "./receiver.ts";
import { openDispatcher } from "./redis-dispatcher.ts";
import { createProducer } from "./redis-producer.ts";

/** `overlooked`: the lanes that the log names. */
async function setUp(t: TestContext) {
  const server = await startRedis(t);
  const redis = { url: server.url, partitions: 2 };
  const { keys, commands, bus } = await openConnections(t, redis);
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  const arrived: string[] = [];
  const answers = { areHeld: false };
  const receiver = await openReceiver(t, ({ ids }, response) => {
    arrived.push(...ids);
    if (!answers.areHeld) response.writeHead(200).end();
  });
  const overlooked: unknown[] = [];
  const { looks } = await openDispatcher(t, {
    apps: appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] })),
    redis,
    log: {
      ...SILENT_LOG,
      warn: (fields, text) => {
        if (text === "webhook lane was overlooked") overlooked.push(fields);
      },
    },
  });
  const { json } = channelEvent("channel_occupied", "room");
  return {
    arrived,
    overlooked,
    answers,
    looks,
    partition: keys.partition("app", "room"),
    occupy: () => producer.append("app", "room", channelEvent("channel_occupied", "room")),
    /** Puts an event into the lane without telling anybody. */
    async slip(id: string): Promise<void> {
      const p = keys.partition("app", "room");
      const fields = ["i", id, "c", "room", "t", "channel_occupied", "j", json];
      await commands.call("XADD", keys.key(p, "q", "app:one"), "*", ...fields);
      await commands.call("SADD", keys.key(p, "lanes"), "app:one");
    },
  };
}

const EPOCH = Date.now();
const idAt = (partition: number, sequence: number) => `${EPOCH}-${partition}-${EPOCH}-${sequence}`;

test("an event in a lane that nobody was told of is delivered, and the lane named in the log", async (t) => {
  const { arrived, overlooked, partition, slip } = await setUp(t);
  const id = idAt(partition, 1);
  await slip(id);
  await until("it has arrived", () => arrived.includes(id));
  assert.deepEqual(arrived, [id]);
  assert.deepEqual(overlooked, [{ partition, app_id: "app", endpoint: "one" }]);
});

test("an event behind others is found too, whatever was remembered of the lane", async (t) => {
  const { arrived, partition, occupy, slip } = await setUp(t);
  const first = await occupy();
  await until("the first has arrived", () => arrived.includes(first));
  const id = idAt(partition, 2);
  await slip(id);
  await until("the second has arrived", () => arrived.includes(id));
});

test("lanes whose receiver takes its time are not named", async (t) => {
  const { arrived, overlooked, occupy, looks, answers } = await setUp(t);
  answers.areHeld = true;
  const id = await occupy();
  await until("the POST is under way", () => arrived.includes(id));
  await occupy();
  const before = looks();
  await until("each lane was checked several times", () => looks() >= before + 12);
  assert.deepEqual(overlooked, []);
  assert.deepEqual(arrived, [id], "nothing is sent beside it");
});
