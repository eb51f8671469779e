/** Who is in a presence channel. protocol.md §2.3, §2.4, §2.7. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PresenceChannel } from "pusher-js";
import {
  authFor,
  errorNumber,
  errorsOf,
  sendSubscribe,
  signIn,
  subscribe,
} from "../support/commands.ts";
import { startPipit } from "../support/pipit.ts";
import type { Frame, RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const CHANNEL = "presence-room";

interface Presence {
  readonly ids: readonly string[];
  readonly hash: Readonly<Record<string, unknown>>;
  readonly count: number;
}

function presenceOf(success: Frame): Presence {
  return (JSON.parse(success.data as string) as { presence: Presence }).presence;
}

/** Member events so far: `+ann {"name":"Ann"}` and `-ann`. */
function memberEvents(socket: RawSocket): readonly string[] {
  return socket.frames.flatMap(({ event, data }) => {
    const isAdded = event === "pusher_internal:member_added";
    if (!isAdded && event !== "pusher_internal:member_removed") return [];
    const { user_id, user_info } = JSON.parse(data as string);
    return [isAdded ? `+${user_id} ${JSON.stringify(user_info)}` : `-${user_id}`];
  });
}

function subscriptionError(socket: RawSocket): Promise<Frame> {
  return socket.frame("it is refused", ({ event }) => event === "pusher:subscription_error");
}

test("the success lists ids, hash and count, the joiner included", async (t) => {
  const pipit = await startPipit(t);
  const ann = await pipit.raw();
  const first = await subscribe(ann, CHANNEL, { user_id: "ann", user_info: { name: "Ann" } });
  assert.equal(first.channel, CHANNEL);
  assert.deepEqual(presenceOf(first), { ids: ["ann"], hash: { ann: { name: "Ann" } }, count: 1 });
  const bob = await pipit.raw();
  const second = await subscribe(bob, CHANNEL, { user_id: "bob", user_info: [1, "x"] });
  assert.deepEqual(presenceOf(second), {
    ids: ["ann", "bob"],
    hash: { ann: { name: "Ann" }, bob: [1, "x"] },
    count: 2,
  });
  await until("Ann is told", () => memberEvents(ann).length > 0);
  assert.deepEqual(memberEvents(ann), ['+bob [1,"x"]']);
  assert.deepEqual(memberEvents(bob), []);
});

test("a numeric user id is a string everywhere, and the same user as that string", async (t) => {
  const pipit = await startPipit(t);
  const watcher = await pipit.raw();
  await subscribe(watcher, CHANNEL, { user_id: "w" });
  const number = await pipit.raw();
  const success = await subscribe(number, CHANNEL, { user_id: 10, user_info: {} });
  assert.deepEqual(presenceOf(success).ids, ["w", "10"]);
  const text = await pipit.raw();
  assert.equal(presenceOf(await subscribe(text, CHANNEL, { user_id: "10" })).count, 2);
  number.destroy();
  text.destroy();
  await until("10 is gone", () => memberEvents(watcher).includes("-10"));
  assert.deepEqual(memberEvents(watcher), ["+10 {}", "-10"]);
});

test("missing user_info is {}, so that clients may read fields of it", async (t) => {
  const pipit = await startPipit(t);
  const ann = await pipit.raw();
  assert.deepEqual(presenceOf(await subscribe(ann, CHANNEL, { user_id: "ann" })).hash, { ann: {} });
  const bob = await pipit.raw();
  await subscribe(bob, CHANNEL, { user_id: "bob", user_info: null });
  await until("Ann is told", () => memberEvents(ann).length > 0);
  assert.deepEqual(memberEvents(ann), ["+bob {}"]);
});

test("a second tab fires nothing, neither when it comes nor when the first goes", async (t) => {
  const pipit = await startPipit(t);
  const watcher = await pipit.raw();
  await subscribe(watcher, CHANNEL, { user_id: "w" });
  const [first, second] = [await pipit.raw(), await pipit.raw()];
  await subscribe(first, CHANNEL, { user_id: "ann", user_info: { tab: 1 } });
  const success = await subscribe(second, CHANNEL, { user_id: "ann", user_info: { tab: 2 } });
  // The first connection's info stands until the last has left.
  assert.deepEqual(presenceOf(success).hash, { w: {}, ann: { tab: 1 } });
  first.destroy();
  second.send({ event: "pusher:unsubscribe", data: { channel: CHANNEL } });
  await until("Ann is gone", () => memberEvents(watcher).includes("-ann"));
  assert.deepEqual(memberEvents(watcher), ['+ann {"tab":1}', "-ann"]);
});

test("the member cap counts distinct users: a full channel takes a second tab and refuses a new user", async (t) => {
  const pipit = await startPipit(t, { max_presence_members_per_channel: 2 });
  const sockets: RawSocket[] = [];
  for (const user_id of ["ann", "bob", "ann", "bob"]) {
    const socket = await pipit.raw();
    assert.ok(presenceOf(await subscribe(socket, CHANNEL, { user_id })).count <= 2);
    sockets.push(socket);
  }
  const eve = await pipit.raw();
  await sendSubscribe(eve, CHANNEL, { user_id: "eve" });
  const refused = await subscriptionError(eve);
  assert.equal((refused.data as { status: number }).status, 4100);
  assert.equal((refused.data as { type: string }).type, "LimitReached");
  await eve.settled();
  assert.equal(eve.closed, undefined);

  for (const at of [1, 3]) sockets[at]?.destroy();
  await until("Ann sees Bob go", () => memberEvents(sockets[0] as RawSocket).includes("-bob"));
  await subscribe(eve, CHANNEL, { user_id: "eve" });
  await until("Ann sees Eve", () => memberEvents(sockets[0] as RawSocket).length === 3);
  assert.deepEqual(memberEvents(sockets[0] as RawSocket), ["+bob {}", "-bob", "+eve {}"]);
});

test("a signed-in user joins without channel_data as who it signed in", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await signIn(socket, { id: "ann", user_info: { name: "Ann" } });
  const success = await subscribe(socket, CHANNEL);
  assert.deepEqual(presenceOf(success), { ids: ["ann"], hash: { ann: { name: "Ann" } }, count: 1 });
});

test("where both exist, channel_data wins over the sign-in", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await signIn(socket, { id: "ann", user_info: { name: "Ann" } });
  const success = await subscribe(socket, CHANNEL, { user_id: "bob" });
  assert.deepEqual(presenceOf(success).hash, { bob: {} });
});

describe("a presence subscription is refused and the connection lives on", () => {
  for (const [what, channelData, status] of [
    ["no channel_data and no sign-in", undefined, 401],
    ["no user_id", {}, 401],
    ["an empty user_id", { user_id: "" }, 401],
    ["a user_id that is neither string nor number", { user_id: { id: 1 } }, 401],
    ["a user_id over 128 characters", { user_id: "x".repeat(129) }, 401],
    ["channel_data that is no object", "[1]", 401],
    ["channel_data that is no JSON", "{user_id:1}", 401],
    ["user_info of 100 levels", `{"user_id":"a","user_info":${deep(100)}}`, 401],
    ["user_info over the limit", { user_id: "a", user_info: "x".repeat(1_023) }, 4301],
  ] as const) {
    test(`with ${what}`, async (t) => {
      const pipit = await startPipit(t, { max_presence_member_size_in_kb: 1 });
      const socket = await pipit.raw();
      await sendSubscribe(socket, CHANNEL, channelData);
      const refused = await subscriptionError(socket);
      assert.equal((refused.data as { status: number }).status, status);
      await errorNumber(socket, 0);
      await socket.settled();
      assert.equal(socket.closed, undefined);
      const users = await pipit.pusher.get({ path: `/channels/${CHANNEL}/users` });
      assert.deepEqual(await users.json(), { users: [] });
    });
  }

  test("with channel_data other than the signed", async (t) => {
    const pipit = await startPipit(t);
    const socket = await pipit.raw();
    const auth = authFor(`${await socket.socketId()}:${CHANNEL}:{"user_id":"ann"}`);
    for (const channel_data of ['{"user_id": "ann"}', '{"user_id":"bob"}', undefined]) {
      socket.send({ event: "pusher:subscribe", data: { channel: CHANNEL, auth, channel_data } });
    }
    await socket.settled();
    assert.deepEqual(
      errorsOf(socket).map(({ code }) => code),
      [4009, 4009, 4009],
    );
  });
});

test("user_info of exactly the limit passes", async (t) => {
  const pipit = await startPipit(t, { max_presence_member_size_in_kb: 1 });
  const socket = await pipit.raw();
  await subscribe(socket, CHANNEL, { user_id: "x".repeat(128), user_info: "x".repeat(1_022) });
});

test("user ids that are names of every object's properties are ids like any other", async (t) => {
  const pipit = await startPipit(t);
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const sockets: RawSocket[] = [];
  for (const user_id of names) {
    const socket = await pipit.raw();
    await subscribe(socket, CHANNEL, { user_id });
    sockets.push(socket);
  }
  const users = await pipit.pusher.get({ path: `/channels/${CHANNEL}/users` });
  assert.deepEqual(await users.json(), { users: names.map((id) => ({ id })) });
  sockets[3]?.destroy();
  const first = sockets[0] as RawSocket;
  await until("the last is gone", () => memberEvents(first).includes("-hasOwnProperty"));
});

test("no event overtakes the list of members, which with what comes after is complete and told once", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await socket.socketId();
  const others = await Promise.all(Array.from({ length: 5 }, () => pipit.raw()));
  const publishing = Array.from({ length: 10 }, () => pipit.pusher.trigger(CHANNEL, "news", ""));
  await Promise.all([
    ...publishing,
    sendSubscribe(socket, CHANNEL, { user_id: "ann" }),
    ...others.map((other, n) => subscribe(other, CHANNEL, { user_id: `u${n}` })),
  ]);
  const success = await socket.frame("it is joined", ({ channel }) => channel === CHANNEL);
  assert.equal(success.event, "pusher_internal:subscription_succeeded");
  const { ids } = presenceOf(success);
  await until("all are told", () => ids.length + memberEvents(socket).length >= 6);
  const told = [...ids, ...memberEvents(socket).map((event) => event.slice(1, 3))];
  assert.deepEqual(told.sort(), ["ann", "u0", "u1", "u2", "u3", "u4"]);
});

test("pusher-js counts the same members through a storm of joins and leaves as the API tells", async (t) => {
  const pipit = await startPipit(t);
  const watcher = await pipit.connect({ userId: "watcher" });
  const room = (await watcher.subscribe(CHANNEL)) as PresenceChannel;
  const sockets = await Promise.all(Array.from({ length: 12 }, () => pipit.raw()));
  await Promise.all(
    sockets.map(async (socket, n) => {
      for (let round = 0; round < 4; round++) {
        await subscribe(socket, CHANNEL, { user_id: `user-${n % 5}` });
        socket.frames.length = 1;
        if (round < 3) socket.send({ event: "pusher:unsubscribe", data: { channel: CHANNEL } });
      }
      if (n % 2 === 0) socket.destroy();
    }),
  );
  const expected = await until("the API tells who is left", async () => {
    const users = await pipit.pusher.get({ path: `/channels/${CHANNEL}/users` });
    const ids = ((await users.json()) as { users: { id: string }[] }).users.map(({ id }) => id);
    return ids.length === 6 && ids.sort();
  });
  await until("pusher-js knows the same", () => {
    const ids = Object.keys(room.members.members).sort();
    return ids.join() === expected.join() && room.members.count === expected.length;
  });
});

function deep(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}
