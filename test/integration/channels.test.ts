/** Channels of every kind, with real clients and the real server library. protocol.md §2. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PresenceChannel } from "pusher-js";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

for (const name of [
  "room",
  "private-room",
  "private-encrypted-room",
  "cache-room",
  "private-cache-room",
]) {
  test(`an event published to ${name} reaches every subscriber but the excluded socket`, async (t) => {
    const pipit = await startPipit(t);
    const [a, b, sender] = [await pipit.connect(), await pipit.connect(), await pipit.connect()];
    const heard: Record<string, unknown[]> = { a: [], b: [], sender: [] };
    for (const [who, client] of Object.entries({ a, b, sender })) {
      const channel = await client.subscribe(name);
      channel.bind("news", (data: unknown) => heard[who]?.push(data));
    }
    await pipit.pusher.trigger(name, "news", { n: 1 }, { socket_id: sender.socketId });
    await pipit.pusher.trigger(name, "news", { n: 2 });
    await until("all have the second event", () =>
      Object.values(heard).every(
        (events) => events.length > 0 && (events.at(-1) as { n: number }).n === 2,
      ),
    );
    assert.deepEqual(heard, {
      a: [{ n: 1 }, { n: 2 }],
      b: [{ n: 1 }, { n: 2 }],
      sender: [{ n: 2 }],
    });
  });
}

test("a subscription with a wrong signature is refused on the channel and the connection lives on", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  for (const channel of [
    "private-x",
    "private-cache-x",
    "presence-cache-x",
    "private-my-cache-x",
    "presence-x",
    "private-encrypted-cache-x",
  ]) {
    const data = {
      channel,
      auth: `${APP.key}:${"0".repeat(64)}`,
      channel_data: JSON.stringify({ user_id: "1" }),
    };
    socket.send({ event: "pusher:subscribe", data });
    const refused = await socket.frame(
      `${channel} is refused`,
      (frame) => frame.event === "pusher:subscription_error" && frame.channel === channel,
    );
    assert.equal((refused.data as { status: number }).status, 401);
  }
  await pipit.pusher.trigger(["private-x", "private-cache-x", "presence-cache-x"], "secret", {});
  await socket.settled();
  assert.equal(socket.closed, undefined);
  assert.equal(socket.frames.filter(({ event }) => event === "secret").length, 0);
  const errors = socket.frames.filter(({ event }) => event === "pusher:error");
  assert.ok(errors.every(({ data }) => (data as { code: number }).code === 4009));
});

test("presence lists members once, tells others of comers and goers, and a second tab is silent", async (t) => {
  const pipit = await startPipit(t);
  const ann = await pipit.connect({ userId: "ann", userInfo: { name: "Ann" } });
  const room = (await ann.subscribe("presence-room")) as PresenceChannel;
  const seen: string[] = [];
  room.bind("pusher:member_added", (member: { id: string; info: { name: string } }) =>
    seen.push(`+${member.id} ${member.info.name}`),
  );
  room.bind("pusher:member_removed", (member: { id: string }) => seen.push(`-${member.id}`));

  const bob = await pipit.connect({ userId: "bob", userInfo: { name: "Bob" } });
  const bobsRoom = (await bob.subscribe("presence-room")) as PresenceChannel;
  assert.deepEqual(Object.keys(bobsRoom.members.members).sort(), ["ann", "bob"]);
  assert.equal(bobsRoom.members.count, 2);
  assert.deepEqual(bobsRoom.members.me, { id: "bob", info: { name: "Bob" } });

  const secondTab = await pipit.connect({ userId: "bob", userInfo: { name: "Bob" } });
  await secondTab.subscribe("presence-room");
  secondTab.pusher.disconnect();
  bob.pusher.unsubscribe("presence-room");
  await until("Ann sees Bob go", () => seen.includes("-bob"));
  assert.deepEqual(seen, ["+bob Bob", "-bob"]);
});

test("a cache channel gives its last event to a new subscriber, and says when it has none", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  socket.send({ event: "pusher:subscribe", data: { channel: "cache-weather" } });
  const miss = await socket.frame("a miss", ({ event }) => event === "pusher:cache_miss");
  assert.deepEqual(miss, { event: "pusher:cache_miss", channel: "cache-weather", data: "{}" });

  await pipit.pusher.trigger("cache-weather", "sky", { colour: "grey" });
  await pipit.pusher.trigger("cache-weather", "sky", { colour: "blue" });
  const late = await pipit.raw();
  late.send({ event: "pusher:subscribe", data: { channel: "cache-weather" } });
  const cached = await late.frame("the cached event", ({ event }) => event === "sky");
  assert.deepEqual(cached, { event: "sky", channel: "cache-weather", data: '{"colour":"blue"}' });
});
