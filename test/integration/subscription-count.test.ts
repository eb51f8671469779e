/** How many subscribers a channel has, told to them. protocol.md §5. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { HAS_SLOW_DRIVERS, startPipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const FEATURE = { enable_subscription_count: true };

/** The counts that a socket was told, in order. */
function countsOf(socket: RawSocket): readonly number[] {
  return socket.frames
    .filter(({ event }) => event === "pusher_internal:subscription_count")
    .map(({ data }) => JSON.parse(data as string).subscription_count as number);
}

test("every subscriber hears the count after each subscribe and unsubscribe, the joiner after its success", async (t) => {
  const pipit = await startPipit(t, FEATURE);
  const [first, second] = [await pipit.raw(), await pipit.raw()];
  await subscribe(first, "room");
  await subscribe(second, "room");
  await until("the joiner is told", () => countsOf(second).at(-1) === 2);
  assert.deepEqual(second.frames[1], {
    event: "pusher_internal:subscription_succeeded",
    channel: "room",
    data: "{}",
  });
  assert.deepEqual(second.frames.at(-1), {
    event: "pusher_internal:subscription_count",
    channel: "room",
    data: '{"subscription_count":2}',
  });
  second.send({ event: "pusher:unsubscribe", data: { channel: "room" } });
  await until("the leave is told", () => countsOf(first).length === 3);
  assert.deepEqual(countsOf(first), [1, 2, 1]);
  if (!HAS_SLOW_DRIVERS) assert.deepEqual(countsOf(second), [2], "at once, with nothing older");
});

test("pusher-js keeps the count", async (t) => {
  const pipit = await startPipit(t, FEATURE);
  const [a, b] = [await pipit.connect(), await pipit.connect()];
  const room = await a.subscribe("private-room");
  const heard: unknown[] = [];
  room.bind("pusher:subscription_count", (data: unknown) => heard.push(data));
  await b.subscribe("private-room");
  await until("the count is 2", () => room.subscriptionCount === 2);
  assert.deepEqual(heard.at(-1), { subscription_count: 2 });
});

test("connections are counted, not users, and a duplicate subscribe not at all", async (t) => {
  const pipit = await startPipit(t, FEATURE);
  const socket = await pipit.raw();
  await subscribe(socket, "room");
  socket.send({ event: "pusher:subscribe", data: { channel: "room" } });
  await socket.frame("the second is refused", ({ event }) => event === "pusher:error");
  const other = await pipit.raw();
  await subscribe(other, "room");
  await until("the second connection counts", () => countsOf(socket).length === 2);
  assert.deepEqual(countsOf(socket), [1, 2]);
});

test("nothing is told on presence and encrypted channels, nor without the feature", async (t) => {
  const pipit = await startPipit(t, FEATURE);
  const plain = await startPipit(t);
  for (const [server, channel, member] of [
    [pipit, "presence-room", { user_id: "ann" }],
    [pipit, "presence-cache-room", { user_id: "ann" }],
    [pipit, "private-encrypted-room", undefined],
    [plain, "room", undefined],
  ] as const) {
    const [first, second] = [await server.raw(), await server.raw()];
    await subscribe(first, channel, member);
    await subscribe(second, channel, member);
    await server.pusher.trigger("room", "marker", "");
    // A read is answered after what was told before it.
    await server.pusher.get({ path: `/channels/${channel}` });
    await first.settled();
    assert.deepEqual(countsOf(first), [], channel);
  }
});

test("above 100 subscribers the latest count is told once, at the end of a window of 5 s", async (t) => {
  const pipit = await startPipit(t, FEATURE);
  const first = await pipit.raw();
  await subscribe(first, "room");
  const join = async (): Promise<RawSocket> => {
    const socket = await pipit.raw();
    await subscribe(socket, "room");
    return socket;
  };
  await Promise.all(Array.from({ length: 99 }, join));
  await until("100 are told", () => countsOf(first).includes(100));
  const upTo100 = Array.from({ length: 100 }, (_, n) => n + 1);
  assert.deepEqual(countsOf(first), upTo100);

  const startedMs = performance.now();
  const late = await Promise.all(Array.from({ length: 6 }, join));
  late[0]?.destroy();
  await until("the window ends", () => countsOf(first).length > 100);
  const tookMs = performance.now() - startedMs;
  assert.deepEqual(countsOf(first), [...upTo100, 105]);
  assert.ok(tookMs > 4_900 && tookMs < 8_000, `told after ${Math.round(tookMs)} ms`);
  await until(
    "those who joined above 100 are told too",
    () => countsOf(late[1] as RawSocket).at(-1) === 105,
  );
});
