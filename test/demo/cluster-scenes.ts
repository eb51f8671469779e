/** The story of two nodes. Each scene waits for what should come; the last looks whether anything came too often. */
import assert from "node:assert/strict";
import type Pusher from "pusher";
import { until } from "../support/until.ts";
import type { DemoClient } from "./demo-client.ts";
import { shown, type Transcript } from "./transcript.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

export interface ClusterCast {
  /** Behind a load balancer, at first on node A. */
  readonly ada: DemoClient;
  /** On node B. */
  readonly bob: DemoClient;
  /** On node A, and gone with it. */
  readonly eve: DemoClient;
  /** The backend, publishing through node A, and through node B. */
  readonly onA: Pusher;
  readonly onB: Pusher;
  readonly receiver: WebhookReceiver;
  readonly transcript: Transcript;
  killNodeA(): void;
}

type Scene = readonly [title: string, play: (cast: ClusterCast) => Promise<void>];

export const CLUSTER_SCENES: readonly Scene[] = [
  ["An event published on either node reaches clients of both", publicChannel],
  ["A client event crosses from node A to node B", clientEvent],
  ["One presence channel over both nodes", presenceChannel],
  ["An event cached through node A is there on node B", cacheChannel],
  ["A message to a user, published on the other node", toOneUser],
  ["Either node's HTTP API knows the channels of both", reading],
  ["Node A is killed; Ada comes back on node B, Eve does not come back", killing],
  ["After the lease of the dead node, what only it held is told as gone", cleaning],
  ["Everybody leaves", leaving],
  ["Each webhook was taken once", counting],
];

/** The lease of 15 s, a heartbeat of 5 s, the grace of 3 s, and some. */
const CLEAN_WITHIN_MS = 30_000;

const ROOM = "presence-room";
const DESK = "private-eves-desk";

/** Events of members and occupancy, in the order in which one channel's may come. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  news: ["channel_occupied", "channel_vacated"],
  "private-chat": ["channel_occupied", "client_event", "channel_vacated"],
  [ROOM]: [
    "channel_occupied",
    "member_added ada",
    "member_added eve",
    "member_added bob",
    "member_removed eve",
    "member_removed ada",
    "member_removed bob",
    "channel_vacated",
  ],
  [DESK]: ["channel_occupied", "channel_vacated"],
  "cache-weather": ["channel_occupied", "channel_vacated"],
};

async function publish(
  { transcript, onA }: ClusterCast,
  through: Pusher,
  channel: string,
  event: string,
  data: unknown,
): Promise<void> {
  const node = through === onA ? "A" : "B";
  transcript.line("backend", `publishes ${event} to ${channel} on node ${node}: ${shown(data)}`);
  const { status } = await through.trigger(channel, event, data);
  assert.equal(status, 200, "the publish is accepted");
}

async function publicChannel(cast: ClusterCast): Promise<void> {
  const { ada, bob, onA, onB } = cast;
  for (const client of [ada, bob]) await client.subscribe("news");
  await publish(cast, onA, "news", "headline", { from: "node A" });
  await publish(cast, onB, "news", "headline", { from: "node B" });
  for (const client of [ada, bob]) {
    await until(`${client.name} hears both`, () => client.heard("news", "headline") === 2);
  }
}

async function clientEvent({ ada, bob }: ClusterCast): Promise<void> {
  for (const client of [ada, bob]) await client.subscribe("private-chat");
  ada.whisper("private-chat", "client-typing", { isTyping: true });
  await bob.hears("private-chat", "client-typing");
  assert.equal(ada.heard("private-chat", "client-typing"), 0, "Ada does not hear herself");
}

async function presenceChannel({ ada, bob, eve }: ClusterCast): Promise<void> {
  await ada.subscribe(ROOM);
  await eve.subscribe(ROOM);
  await ada.hears(ROOM, "pusher:member_added");
  await bob.subscribe(ROOM);
  await until("Ada hears of Bob, too", () => ada.heard(ROOM, "pusher:member_added") === 2);
  await eve.subscribe(DESK);
}

async function cacheChannel(cast: ClusterCast): Promise<void> {
  await publish(cast, cast.onA, "cache-weather", "forecast", { sky: "clear" });
  await cast.bob.subscribe("cache-weather");
  await cast.bob.hears("cache-weather", "forecast");
}

async function toOneUser({ bob, onA, transcript }: ClusterCast): Promise<void> {
  await bob.signIn();
  transcript.line("backend", "sends hello to bob on node A");
  await onA.sendToUser("bob", "hello", { only: "you" });
  await bob.hears("its user", "hello");
}

async function reading({ onA, onB, transcript }: ClusterCast): Promise<void> {
  for (const [node, backend] of [
    ["A", onA],
    ["B", onB],
  ] as const) {
    const reply = await backend.get({ path: "/channels" });
    const { channels } = (await reply.json()) as { channels: object };
    const names = Object.keys(channels).toSorted();
    transcript.line("backend", `reads from node ${node}: ${names.join(", ")}`);
    assert.deepEqual(names, Object.keys(EXPECTED).toSorted());
    const members = await usersOf(backend);
    transcript.line("backend", `reads from node ${node} who is in ${ROOM}: ${members.join(", ")}`);
    assert.deepEqual(members, ["ada", "bob", "eve"]);
  }
}

async function killing(cast: ClusterCast): Promise<void> {
  const { ada, bob, onB } = cast;
  cast.killNodeA();
  await ada.isBack();
  await publish(cast, onB, "news", "headline", { after: "the crash" });
  for (const client of [ada, bob]) {
    await until(`${client.name} hears it`, () => client.heard("news", "headline") === 3);
  }
}

async function cleaning({ bob, onB, receiver, transcript }: ClusterCast): Promise<void> {
  await until(
    "Bob hears that Eve has gone",
    () => bob.heard(ROOM, "pusher:member_removed") === 1,
    CLEAN_WITHIN_MS,
  );
  const members = await usersOf(onB);
  transcript.line("backend", `reads from node B who is in ${ROOM}: ${members.join(", ")}`);
  assert.deepEqual(members, ["ada", "bob"]);
  await until("the receiver is told", () => {
    return told(receiver, DESK).includes("channel_vacated") && told(receiver, ROOM).length >= 5;
  });
}

async function leaving({ ada, bob, receiver }: ClusterCast): Promise<void> {
  ada.disconnect();
  await until("Bob hears it", () => bob.heard(ROOM, "pusher:member_removed") === 2);
  await until("the receiver knows that Ada has gone", () => told(receiver, ROOM).length >= 6);
  bob.disconnect();
  for (const channel of Object.keys(EXPECTED)) {
    await until(`${channel} is vacated`, () => told(receiver, channel).includes("channel_vacated"));
  }
}

async function counting({ receiver, transcript }: ClusterCast): Promise<void> {
  assert.equal(receiver.refused, 0, "every signature is right");
  for (const [channel, events] of Object.entries(EXPECTED)) {
    transcript.line("webhooks", `${channel}: ${told(receiver, channel).join(", ")}`);
    assert.deepEqual(told(receiver, channel), events, channel);
  }
}

async function usersOf(backend: Pusher): Promise<readonly string[]> {
  const reply = await backend.get({ path: `/channels/${ROOM}/users` });
  const { users } = (await reply.json()) as { users: { id: string }[] };
  return users.map(({ id }) => id).toSorted();
}

/** A channel's webhooks in the order of their arrival, without those about counts. */
function told(receiver: WebhookReceiver, channel: string): readonly string[] {
  return receiver.events
    .filter((event) => event.channel === channel && event.name !== "subscription_count")
    .map(({ name, user_id }) => (typeof user_id === "string" ? `${name} ${user_id}` : name));
}
