/** Channels that keep their last event. protocol.md §2.8. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { type Pipit, startPipit } from "../support/pipit.ts";
import type { Frame, RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const MEMBER = { user_id: "ann" };

/** Joins and waits for the second answer, which is the cached event or the miss. */
async function joinCached(pipit: Pipit, channel: string, member?: unknown): Promise<Frame> {
  const socket = await pipit.raw();
  await subscribe(socket, channel, member);
  return cachedAnswer(socket, channel);
}

async function cachedAnswer(socket: RawSocket, channel: string): Promise<Frame> {
  return until("the cached event or the miss comes", () => {
    const answers = socket.frames.filter((frame) => frame.channel === channel);
    return answers[0]?.event === "pusher_internal:subscription_succeeded" && answers[1];
  });
}

async function cacheOf(
  pipit: Pipit,
  channel: string,
): Promise<{ data: string; ttl: number } | null> {
  const params = { info: "cache" };
  const answer = await pipit.pusher.get({ path: `/channels/${channel}`, params });
  return ((await answer.json()) as { cache: { data: string; ttl: number } | null }).cache;
}

for (const [channel, member] of [
  ["cache-x", undefined],
  ["private-cache-x", undefined],
  ["private-encrypted-cache-x", undefined],
  ["presence-cache-x", MEMBER],
] as const) {
  test(`${channel} says that it has nothing, and then gives each joiner its last event`, async (t) => {
    const pipit = await startPipit(t);
    assert.deepEqual(await joinCached(pipit, channel, member), {
      event: "pusher:cache_miss",
      channel,
      data: "{}",
    });
    const publish = (data: string): Promise<unknown> =>
      sendSigned(pipit.port, { path: "/events", body: { name: "news", channel, data } });
    await publish("first");
    await publish("last");
    const cached = { event: "news", channel, data: "last" };
    assert.deepEqual(await joinCached(pipit, channel, member), cached);
    assert.deepEqual(await joinCached(pipit, channel, member), cached);
  });
}

test("a name that merely contains cache- is not cached", async (t) => {
  const pipit = await startPipit(t);
  for (const channel of ["my-cache-x", "private-my-cache-x", "cachex"]) {
    await pipit.pusher.trigger(channel, "news", "");
    const socket = await pipit.raw();
    await subscribe(socket, channel);
    await socket.settled();
    const onChannel = socket.frames.filter((frame) => frame.channel === channel);
    assert.equal(onChannel.length, 1, channel);
  }
});

test("the cached event goes to the joiner only", async (t) => {
  const pipit = await startPipit(t);
  await pipit.pusher.trigger("cache-x", "news", "1");
  const first = await pipit.raw();
  await subscribe(first, "cache-x");
  await cachedAnswer(first, "cache-x");
  await joinCached(pipit, "cache-x");
  await first.settled();
  assert.equal(first.frames.filter(({ event }) => event === "news").length, 1);
});

test("the event survives the time in which nobody is subscribed, and a socket_id does not keep it out", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await subscribe(socket, "cache-x");
  const socket_id = await socket.socketId();
  await pipit.pusher.trigger("cache-x", "news", "kept", { socket_id });
  socket.destroy();
  await until("the channel is empty", async () => {
    const answer = await pipit.pusher.get({ path: "/channels/cache-x" });
    return !((await answer.json()) as { occupied: boolean }).occupied;
  });
  assert.equal((await joinCached(pipit, "cache-x")).data, "kept");
});

test("the event lives for cache_ttl_s, which the API counts down", async (t) => {
  const startMs = Date.now();
  let nowMs = startMs;
  const pipit = await startPipit(t, { cache_ttl_s: 60 }, {}, { now: () => nowMs });
  assert.equal(await cacheOf(pipit, "cache-x"), null);
  await pipit.pusher.trigger("cache-x", "news", "short-lived");
  assert.deepEqual(await cacheOf(pipit, "cache-x"), { data: "short-lived", ttl: 60 });
  nowMs = startMs + 55_001;
  assert.equal((await cacheOf(pipit, "cache-x"))?.ttl, 5);
  nowMs = startMs + 59_999;
  assert.equal((await cacheOf(pipit, "cache-x"))?.ttl, 1);
  assert.equal((await joinCached(pipit, "cache-x")).event, "news");
  nowMs = startMs + 60_000;
  assert.equal(await cacheOf(pipit, "cache-x"), null);
  assert.equal((await joinCached(pipit, "cache-x")).event, "pusher:cache_miss");
});

test("client events are delivered and not cached", async (t) => {
  const pipit = await startPipit(t);
  const [sender, receiver] = [await pipit.raw(), await pipit.raw()];
  for (const socket of [sender, receiver]) await subscribe(socket, "private-cache-x");
  await pipit.pusher.trigger("private-cache-x", "news", "from the backend");
  sender.send({ event: "client-x", channel: "private-cache-x", data: "from a client" });
  await receiver.frame("the client event comes", ({ event }) => event === "client-x");
  assert.equal((await joinCached(pipit, "private-cache-x")).data, "from the backend");
});

test("members who come and go on presence-cache- are not what is cached", async (t) => {
  const pipit = await startPipit(t);
  await pipit.pusher.trigger("presence-cache-x", "news", "kept");
  const watcher = await pipit.raw();
  await subscribe(watcher, "presence-cache-x", MEMBER);
  const bob = await pipit.raw();
  await subscribe(bob, "presence-cache-x", { user_id: "bob" });
  bob.destroy();
  await watcher.frame("Bob goes", ({ event }) => event === "pusher_internal:member_removed");
  assert.equal((await joinCached(pipit, "presence-cache-x", MEMBER)).data, "kept");
});

test("pusher-js hears the miss and the cached event on the channel", async (t) => {
  const pipit = await startPipit(t);
  const early = await pipit.connect();
  const missed: unknown[] = [];
  early.pusher.subscribe("cache-x").bind("pusher:cache_miss", (data: unknown) => missed.push(data));
  await until("the miss is heard", () => missed.length > 0);
  await pipit.pusher.trigger("cache-x", "news", { n: 1 });
  const late = await pipit.connect();
  const heard: unknown[] = [];
  late.pusher.subscribe("cache-x").bind("news", (data: unknown) => heard.push(data));
  await until("the event is heard", () => heard.length > 0);
  assert.deepEqual([missed.length, heard], [1, [{ n: 1 }]]);
});
