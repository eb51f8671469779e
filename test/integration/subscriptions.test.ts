/** Joining and leaving channels, as far as it is the same for every kind. protocol.md §2.2, §2.4–§2.6. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  authFor,
  errorNumber,
  errorsOf,
  hmac,
  sendSubscribe,
  subscribe,
} from "../support/commands.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

function eventsOn(socket: RawSocket, channel: string): readonly string[] {
  return socket.frames.filter((frame) => frame.channel === channel).map(({ event }) => event);
}

async function isOccupied(pipit: Pipit, channel: string): Promise<boolean> {
  const answer = await pipit.pusher.get({ path: `/channels/${channel}` });
  return ((await answer.json()) as { occupied: boolean }).occupied;
}

test("the success of every kind but presence has the data {} as a string", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  for (const channel of ["a", "private-a", "private-encrypted-a", "cache-a", "private-cache-a"]) {
    assert.deepEqual(await subscribe(socket, channel), {
      event: "pusher_internal:subscription_succeeded",
      channel,
      data: "{}",
    });
  }
});

test("a public channel takes any auth, or none", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  for (const [n, auth] of [undefined, null, "", "nonsense", `${APP.key}:00`].entries()) {
    socket.send({ event: "pusher:subscribe", data: { channel: `room-${n}`, auth } });
    await socket.frame("it is joined", ({ channel }) => channel === `room-${n}`);
  }
  assert.deepEqual(errorsOf(socket), []);
});

test("channel_data on a private channel is part of what is signed", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await subscribe(socket, "private-a", { any: "data" });
  const auth = authFor(`${await socket.socketId()}:private-b`);
  socket.send({
    event: "pusher:subscribe",
    data: { channel: "private-b", auth, channel_data: "{}" },
  });
  assert.equal((await errorNumber(socket, 0)).code, 4009);
});

test("a signature holds for its key, socket, channel and spelling only", async (t) => {
  const other = { id: "43", key: "other-key", secret: "other-secret" };
  const pipit = await startPipit(t, {}, { app_manager: { apps: [other] } });
  const [socket, neighbour] = [await pipit.raw(), await pipit.raw()];
  const [id, neighbourId] = [await socket.socketId(), await neighbour.socketId()];
  const signature = hmac(`${id}:private-a`);
  const auths = [
    "",
    signature,
    `:${signature}`,
    `${APP.key}:`,
    `${APP.key}:${signature} `,
    `${APP.key}:${signature.toUpperCase()}`,
    `${APP.key}:${signature.slice(0, 63)}`,
    `${other.key}:${signature}`,
    `${other.key}:${hmac(`${id}:private-a`, other.secret)}`,
    `${APP.key}:${hmac(`${id}:private-a`, other.secret)}`,
    authFor(`${neighbourId}:private-a`),
    authFor(`${id}:private-A`),
    authFor(`${id}:private-a:`),
    authFor(`${id}::user::private-a`),
  ];
  for (const auth of auths) {
    socket.send({ event: "pusher:subscribe", data: { channel: "private-a", auth } });
  }
  await socket.settled();
  assert.deepEqual(
    errorsOf(socket).map(({ code }) => code),
    auths.map(() => 4009),
  );
  assert.ok(errorsOf(socket).every(({ message }) => !message.includes(APP.secret)));
  await subscribe(socket, "private-a");
});

test("a duplicate subscribe is an error with code null and changes nothing", async (t) => {
  const pipit = await startPipit(t);
  const [socket, watcher] = [await pipit.raw(), await pipit.raw()];
  const channel = "presence-a";
  await subscribe(watcher, channel, { user_id: "w" });
  await subscribe(socket, channel, { user_id: "ann" });
  await sendSubscribe(socket, channel, { user_id: "bob" });
  assert.equal((await errorNumber(socket, 0)).code, null);
  assert.deepEqual(eventsOn(socket, channel), ["pusher_internal:subscription_succeeded"]);
  socket.send({ event: "pusher:unsubscribe", data: { channel } });
  await watcher.frame("Ann goes", ({ event }) => event === "pusher_internal:member_removed");
  assert.deepEqual(eventsOn(watcher, channel).slice(1), [
    "pusher_internal:member_added",
    "pusher_internal:member_removed",
  ]);
});

test("with acknowledge_duplicate_subscribe it is a second success that changes nothing", async (t) => {
  const pipit = await startPipit(t, { acknowledge_duplicate_subscribe: true });
  const socket = await pipit.raw();
  await subscribe(socket, "a");
  await sendSubscribe(socket, "a");
  await until("there are two", () => eventsOn(socket, "a").length === 2);
  socket.send({ event: "pusher:unsubscribe", data: { channel: "a" } });
  await until("it is left", async () => !(await isOccupied(pipit, "a")));
  assert.deepEqual(errorsOf(socket), []);
});

test("an unsubscribe is not answered, ends the events, and may be repeated", async (t) => {
  const pipit = await startPipit(t);
  const [socket, other] = [await pipit.raw(), await pipit.raw()];
  for (const joiner of [socket, other]) await subscribe(joiner, "a");
  const leave = { event: "pusher:unsubscribe", data: { channel: "a" } };
  for (let n = 0; n < 3; n++) socket.send(leave);
  socket.send({ event: "pusher:unsubscribe", data: { channel: "never joined" } });
  await socket.settled();
  await pipit.pusher.trigger("a", "news", "");
  await other.frame("the event comes", ({ event }) => event === "news");
  await socket.settled();
  assert.deepEqual(eventsOn(socket, "a"), ["pusher_internal:subscription_succeeded"]);
  assert.deepEqual(errorsOf(socket), []);
  await subscribe(socket, "b");
});

test("a strict app gets pusher:error alone for a failed subscribe, and one for an idle unsubscribe", async (t) => {
  const pipit = await startPipit(t, { strict: true });
  const socket = await pipit.raw();
  socket.send({ event: "pusher:subscribe", data: { channel: "private-a", auth: "x:y" } });
  assert.equal((await errorNumber(socket, 0)).code, 4009);
  socket.send({ event: "pusher:unsubscribe", data: { channel: "a" } });
  assert.equal((await errorNumber(socket, 1)).code, null);
  assert.equal(socket.frames.length, 3);
});

test("leaving while others stay, and coming back, is seen at once by the API", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  for (let n = 0; n < 3; n++) {
    await sendSubscribe(socket, "a");
    await until("it is joined", () => eventsOn(socket, "a").length === n + 1);
    await until("it is occupied", () => isOccupied(pipit, "a"));
    socket.send({ event: "pusher:unsubscribe", data: { channel: "a" } });
    await until("it is vacated", async () => !(await isOccupied(pipit, "a")));
  }
});
