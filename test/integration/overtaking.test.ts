/**
 * Drivers that answer late, always: whatever overtakes a subscribe leaves nothing behind. architecture.md §3.
 * Each test prints the seed of its delays.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hmac, sendSignIn, sendSubscribe, subscribe } from "../support/commands.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { delayedDrivers } from "../support/delayed-drivers.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const CHANNELS = ["room", "private-a", "cache-a", "presence-a", "presence-cache-a"] as const;

function startSlow(t: Parameters<typeof startPipit>[0]): Promise<Pipit> {
  return startPipit(t, {}, {}, { wrap: delayedDrivers() });
}

function memberOf(channel: string, userId: string): unknown {
  return channel.startsWith("presence-") ? { user_id: userId } : undefined;
}

/** Occupied channels, and the users of presence channels: what the API tells of all of it. */
async function stateOf(pipit: Pipit): Promise<unknown> {
  const listed = await pipit.pusher.get({ path: "/channels" });
  const names = Object.keys(((await listed.json()) as { channels: object }).channels).sort();
  const state: Record<string, readonly string[]> = {};
  for (const name of names) {
    if (!name.startsWith("presence-")) state[name] = [];
    else {
      const answer = await pipit.pusher.get({ path: `/channels/${name}/users` });
      const { users } = (await answer.json()) as { users: { id: string }[] };
      state[name] = users.map(({ id }) => id).sort();
    }
  }
  return state;
}

for (const [what, overtake] of [
  [
    "unsubscribe",
    (socket: RawSocket, channel: string) =>
      socket.send({ event: "pusher:unsubscribe", data: { channel } }),
  ],
  ["close", (socket: RawSocket) => socket.destroy()],
  [
    "client event and then by an unsubscribe",
    (socket: RawSocket, channel: string) => {
      socket.send({ event: "client-x", channel, data: "" });
      socket.send({ event: "pusher:unsubscribe", data: { channel } });
    },
  ],
] as const) {
  test(`a subscribe overtaken by its ${what} leaves nothing behind`, async (t) => {
    const pipit = await startSlow(t);
    const [bystander, latecomer] = [await pipit.raw(), await pipit.raw()];
    for (const channel of CHANNELS) await subscribe(bystander, channel, memberOf(channel, "by"));
    const overtaken: RawSocket[] = [];
    for (let round = 0; round < 10; round++) {
      const socket = await pipit.raw();
      overtaken.push(socket);
      for (const channel of CHANNELS) {
        await sendSubscribe(socket, channel, memberOf(channel, "ann"));
        overtake(socket, channel);
      }
    }
    const expected = Object.fromEntries(
      CHANNELS.map((channel) => [channel, channel.startsWith("presence-") ? ["by"] : []]),
    );
    await until("only the bystander is left", async () => {
      const state = await stateOf(pipit);
      return JSON.stringify(sorted(state)) === JSON.stringify(sorted(expected));
    });
    for (const channel of CHANNELS) {
      await pipit.pusher.trigger(channel, "news", "");
      await bystander.frame(
        `the event comes on ${channel}`,
        (frame) => frame.channel === channel && frame.event === "news",
      );
    }
    for (const socket of overtaken) {
      if (socket.closed === undefined && what !== "close") await socket.settled();
      assert.ok(!socket.frames.some(({ event }) => event === "news"));
    }
    // Where there is no member to record, a join may be over before the client event is read.
    const relayed = bystander.frames.filter(({ event }) => event === "client-x");
    assert.ok(relayed.every(({ channel }) => channel?.startsWith("private-")));
    const success = await subscribe(latecomer, "presence-a", { user_id: "late" });
    assert.deepEqual(JSON.parse(success.data as string).presence.ids, ["by", "late"]);
  });
}

test("a sign-in overtaken by the close leaves no user behind", async (t) => {
  const pipit = await startSlow(t);
  for (let round = 0; round < 20; round++) {
    const socket = await pipit.raw();
    await sendSignIn(socket, { id: "ann" });
    socket.destroy();
  }
  const again = await pipit.raw();
  await sendSignIn(again, { id: "ann" });
  await again.frame("she is signed in", ({ event }) => event === "pusher:signin_success");
  await pipit.pusher.sendToUser("ann", "news", "");
  await again.frame("the event comes", ({ event }) => event === "news");
});

test("commands sent before the app is found are obeyed in order", async (t) => {
  const pipit = await startSlow(t);
  const socket = await pipit.raw();
  socket.send({ event: "pusher:subscribe", data: { channel: "a" } });
  socket.send({ event: "pusher:unsubscribe", data: { channel: "a" } });
  socket.send({ event: "pusher:subscribe", data: { channel: "b" } });
  await socket.frame("b is joined", ({ channel }) => channel === "b");
  assert.equal(socket.frames[0]?.event, "pusher:connection_established");
  await until(
    "b alone is occupied",
    async () => JSON.stringify(await stateOf(pipit)) === '{"b":[]}',
  );
});

for (const seed of [1, 2, 3]) {
  test(`after a storm of joins, leaves, closes and returns the API tells exactly what is left (seed ${seed})`, async (t) => {
    const random = createSeededRandom(seed);
    const pipit = await startPipit(t, {}, {}, { wrap: delayedDrivers(seed) });
    const watcher = await pipit.raw();
    await subscribe(watcher, "presence-a", { user_id: "watcher" });
    const left = await Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        const socket = await pipit.raw();
        const socketId = await socket.socketId();
        const userId = `u${n % 7}`;
        const joined = new Set<string>();
        for (let step = 0; step < 30; step++) {
          const channel = CHANNELS[Math.floor(random() * CHANNELS.length)] as string;
          const isJoin = random() < 0.5;
          // Not awaited one by one: what is sent is in order, and overtakes its own answers.
          if (isJoin) socket.send(signedSubscribe(socketId, channel, userId));
          else socket.send({ event: "pusher:unsubscribe", data: { channel } });
          if (isJoin) joined.add(channel);
          else joined.delete(channel);
          if (random() < 0.1) await socket.settled();
        }
        const isGone = random() < 0.4;
        if (isGone) socket.destroy();
        return isGone ? [] : [...joined].map((channel) => [channel, userId] as const);
      }),
    );
    const expected: Record<string, Set<string>> = { "presence-a": new Set(["watcher"]) };
    for (const [channel, userId] of left.flat()) {
      expected[channel] ??= new Set();
      if (channel.startsWith("presence-")) expected[channel]?.add(userId);
    }
    const lists = Object.fromEntries(
      Object.entries(expected).map(([channel, users]) => [channel, [...users].sort()]),
    );
    const wanted = JSON.stringify(sorted(lists));
    let found = "";
    await until("the API tells what is left", async () => {
      found = JSON.stringify(sorted(await stateOf(pipit)));
      return found === wanted;
    }).catch((error: unknown) => {
      assert.equal(found, wanted, String(error));
    });
    await until(
      "a subscriber was told the same",
      () => membersTold(watcher) === lists["presence-a"]?.join(),
    );
  });
}

function signedSubscribe(socketId: string, channel: string, userId: string): unknown {
  const member = memberOf(channel, userId);
  const text = member === undefined ? undefined : JSON.stringify(member);
  const content = [socketId, channel, ...(text === undefined ? [] : [text])].join(":");
  const auth = `${APP.key}:${hmac(content)}`;
  return { event: "pusher:subscribe", data: { channel, auth, channel_data: text } };
}

/** The members that the socket's frames add up to; fails on one added twice or removed without being there. */
function membersTold(socket: RawSocket): string {
  const members = new Set<string>();
  for (const { event, data } of socket.frames) {
    if (event === "pusher_internal:subscription_succeeded") {
      for (const id of JSON.parse(data as string).presence.ids) members.add(id);
    } else if (event === "pusher_internal:member_added") {
      const { user_id } = JSON.parse(data as string);
      assert.ok(!members.has(user_id), `${user_id} was added twice`);
      members.add(user_id);
    } else if (event === "pusher_internal:member_removed") {
      assert.ok(members.delete(JSON.parse(data as string).user_id), "a stranger was removed");
    }
  }
  return [...members].sort().join();
}

function sorted(state: unknown): unknown {
  return Object.entries(state as object).sort(([a], [b]) => (a < b ? -1 : 1));
}
