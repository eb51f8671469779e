/** What a cluster tells receivers: each transition once, whichever nodes took part in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { subscribe } from "../support/commands.ts";
import { nodeAt, readFrom, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import {
  type ReceivedWebhook,
  startReceiver,
  type WebhookReceiver,
} from "../support/webhook-receiver.ts";

/** The opcode of a frame that closes. */
const CLOSE = 8;

const TRANSITIONS = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
] as const;

/** The channel's events in the order of their arrival, `member_added ann`. */
function told(receiver: WebhookReceiver, channel: string): readonly string[] {
  return receiver
    .events()
    .filter((event) => event.channel === channel)
    .map(({ name, user_id }: ReceivedWebhook) => (user_id ? `${name} ${user_id}` : name));
}

async function untilTold(
  receiver: WebhookReceiver,
  channel: string,
  events: readonly string[],
): Promise<void> {
  await until(`${events.length} events of ${channel} have come`, () => {
    return told(receiver, channel).length >= events.length;
  });
  assert.deepEqual(told(receiver, channel), events);
}

test("a channel with subscribers on three nodes is occupied once and vacated once", async (t) => {
  const receiver = await startReceiver(t, APP);
  const cluster = await startNodes(t, 3, { app: { webhooks: [{ url: receiver.url }] } });
  const sockets = await Promise.all(cluster.nodes.map((node) => node.raw()));
  await Promise.all(sockets.map((socket) => subscribe(socket, "room")));
  for (const socket of sockets) socket.destroy();
  await untilTold(receiver, "room", ["channel_occupied", "channel_vacated"]);
  // Events of one channel arrive in order: what comes last shows that nothing else has come before.
  await subscribe(await nodeAt(cluster, 1).raw(), "room");
  await untilTold(receiver, "room", ["channel_occupied", "channel_vacated", "channel_occupied"]);
  assert.ok(receiver.deliveries.every(({ isValid }) => isValid));
});

test("a user with tabs on two nodes is added once, and removed after the last tab", async (t) => {
  const receiver = await startReceiver(t, APP);
  const cluster = await startNodes(t, 2, {
    app: { webhooks: [{ url: receiver.url, event_types: [...TRANSITIONS] }] },
  });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const tabs = [await a.raw(), await b.raw()];
  for (const tab of tabs) await subscribe(tab, "presence-room", { user_id: "ann" });
  const other = await b.raw();
  await subscribe(other, "presence-room", { user_id: "bob" });
  tabs[0]?.destroy();
  tabs[1]?.destroy();
  const events = ["channel_occupied", "member_added ann", "member_added bob", "member_removed ann"];
  await untilTold(receiver, "presence-room", events);
  other.destroy();
  await untilTold(receiver, "presence-room", [...events, "member_removed bob", "channel_vacated"]);
});

test("who leaves one node and returns on another within the grace causes no event", async (t) => {
  const receiver = await startReceiver(t, APP);
  const cluster = await startNodes(t, 2, {
    app: { webhooks: [{ url: receiver.url, event_types: [...TRANSITIONS] }] },
  });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const before = await a.raw();
  await subscribe(before, "presence-room", { user_id: "ann" });
  before.destroy();
  await until("the channel is left", async () => {
    const { users } = (await readFrom(b, "/channels/presence-room/users")) as { users: unknown[] };
    return users.length === 0;
  });
  await subscribe(await b.raw(), "presence-room", { user_id: "ann" });
  // Bob leaves later than Ann did, and both leaves wait in one place: once his is told, hers would have been.
  const bob = await a.raw();
  await subscribe(bob, "presence-room", { user_id: "bob" });
  bob.destroy();
  await untilTold(receiver, "presence-room", [
    "channel_occupied",
    "member_added ann",
    "member_added bob",
    "member_removed bob",
  ]);
});

test("every kind of event comes from a cluster, those of a sender who leaves at once too", async (t) => {
  const receiver = await startReceiver(t, APP);
  const cluster = await startNodes(t, 2, {
    app: {
      enable_subscription_count: true,
      webhooks: [{ url: receiver.url, event_types: [...WEBHOOK_EVENT_TYPES] }],
    },
  });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const ann = await a.raw();
  await subscribe(ann, "presence-room", { user_id: "ann" });
  await (await b.connect()).subscribe("cache-empty");
  ann.send({ event: "client-wave", channel: "presence-room", data: { hand: "left" } });
  ann.sendFrame(CLOSE, Buffer.from([0x03, 0xe8]));
  await untilTold(receiver, "presence-room", [
    "channel_occupied",
    "member_added ann",
    "client_event ann",
    "member_removed ann",
    "channel_vacated",
  ]);
  await until("the cache channel is told of", () => told(receiver, "cache-empty").length === 3);
  assert.deepEqual(told(receiver, "cache-empty").toSorted(), [
    "cache_miss",
    "channel_occupied",
    "subscription_count",
  ]);
});
