/** Publishing with the real server library and without. protocol.md §6.2–§6.4. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { type HttpReply, sendSigned } from "../support/http-request.ts";
import { type Pipit, startPipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";

function post(pipit: Pipit, body: unknown, path = "/events"): Promise<HttpReply> {
  return sendSigned(pipit.port, { path, body });
}

async function joined(pipit: Pipit, ...channels: readonly string[]): Promise<RawSocket> {
  const socket = await pipit.raw();
  for (const channel of channels) await subscribe(socket, channel);
  return socket;
}

/** `channel event data` of each application event, in order, up to the marker that this publishes. */
async function eventsUntilMarker(
  pipit: Pipit,
  socket: RawSocket,
  channel: string,
): Promise<string[]> {
  await pipit.pusher.trigger(channel, "marker", "");
  await socket.frame("the marker comes", ({ event }) => event === "marker");
  return socket.frames
    .filter(({ event }) => !event.startsWith("pusher") && event !== "marker")
    .map((frame) => `${frame.channel} ${frame.event} ${frame.data}`);
}

test("an event goes to each of its channels once, also when one is named twice", async (t) => {
  const pipit = await startPipit(t);
  const socket = await joined(pipit, "a", "b", "c");
  const { status, text } = await post(pipit, { name: "x", channels: ["a", "b", "a"], data: "1" });
  assert.deepEqual([status, text], [200, "{}"]);
  await post(pipit, { name: "y", channel: "c", data: "2" });
  await post(pipit, { name: "z", channels: ["b"], channel: "c", data: "channels wins" });
  // Order holds within a channel, not between channels.
  assert.deepEqual((await eventsUntilMarker(pipit, socket, "a")).sort(), [
    "a x 1",
    "b x 1",
    "b z channels wins",
    "c y 2",
  ]);
});

test("data passes as it is when it is a string, and as JSON when it is not", async (t) => {
  const pipit = await startPipit(t);
  const socket = await joined(pipit, "a");
  const texts = ["", "plain", '{"a":1}', '\u0000 \u2028 \ud800 € 😀 " \\'];
  const values = [{ a: [1, null] }, 7, false, null, []];
  for (const data of [...texts, ...values]) {
    assert.equal((await post(pipit, { name: "x", channel: "a", data })).status, 200);
  }
  const expected = [...texts, ...values.map((value) => JSON.stringify(value))];
  assert.deepEqual(
    await eventsUntilMarker(pipit, socket, "a"),
    expected.map((data) => `a x ${data}`),
  );
});

test("events arrive in the order of their publishing", async (t) => {
  const pipit = await startPipit(t);
  const socket = await joined(pipit, "a");
  for (let n = 0; n < 50; n++) await pipit.pusher.trigger("a", "x", n);
  assert.deepEqual(
    await eventsUntilMarker(pipit, socket, "a"),
    Array.from({ length: 50 }, (_, n) => `a x ${n}`),
  );
});

test("socket_id leaves that socket out; an unknown one is no fault", async (t) => {
  const pipit = await startPipit(t);
  const [excluded, other] = [await joined(pipit, "a"), await joined(pipit, "a")];
  const socket_id = await excluded.socketId();
  await pipit.pusher.trigger("a", "x", "1", { socket_id });
  await pipit.pusher.trigger("a", "y", "2", { socket_id: "123.456" });
  await pipit.pusher.triggerBatch([{ channel: "a", name: "z", data: "3", socket_id }]);
  assert.deepEqual(await eventsUntilMarker(pipit, other, "a"), ["a x 1", "a y 2", "a z 3"]);
  await excluded.frame("the marker comes", ({ event }) => event === "marker");
  assert.deepEqual(await eventsUntilMarker(pipit, excluded, "a"), ["a y 2"]);
});

test("a batch is delivered in order, each event to its channel", async (t) => {
  const pipit = await startPipit(t);
  const [a, b] = [await joined(pipit, "a"), await joined(pipit, "b")];
  const batch = Array.from({ length: 10 }, (_, n) => ({
    channel: n % 2 === 0 ? "a" : "b",
    name: `e${n}`,
    data: String(n),
  }));
  const answer = await pipit.pusher.triggerBatch(batch);
  assert.deepEqual([answer.status, await answer.json()], [200, {}]);
  const expected = batch.map(({ channel, name, data }) => `${channel} ${name} ${data}`);
  assert.deepEqual(
    [...(await eventsUntilMarker(pipit, a, "a")), ...(await eventsUntilMarker(pipit, b, "b"))],
    [
      ...expected.filter((event) => event.startsWith("a")),
      ...expected.filter((event) => event.startsWith("b")),
    ],
  );
});

test("of a batch with one bad event nothing is sent", async (t) => {
  const pipit = await startPipit(t);
  const socket = await joined(pipit, "a");
  const good = { channel: "a", name: "x", data: "" };
  const answer = await post(
    pipit,
    { batch: [good, { ...good, channel: "no spaces" }] },
    "/batch_events",
  );
  assert.equal(answer.status, 400);
  assert.match((answer.json as { error: string }).error, /batch\[1\]/);
  assert.deepEqual(await eventsUntilMarker(pipit, socket, "a"), []);
});

test("info tells of each channel what applies to it, after the event was sent", async (t) => {
  const pipit = await startPipit(t, { enable_subscription_count: true });
  await joined(pipit, "a");
  const member = await pipit.raw();
  await subscribe(member, "presence-a", { user_id: 1 });
  const info = "user_count,subscription_count";
  const answer = await pipit.pusher.trigger(["a", "presence-a", "empty"], "x", "", { info });
  assert.deepEqual(await answer.json(), {
    channels: {
      a: { subscription_count: 1 },
      "presence-a": { user_count: 1 },
      empty: { subscription_count: 0 },
    },
  });
  const batch = await pipit.pusher.triggerBatch([
    { channel: "presence-a", name: "x", data: "", info: "user_count" },
    { channel: "a", name: "x", data: "" },
  ]);
  assert.deepEqual(await batch.json(), { batch: [{ user_count: 1 }, {}] });
});

describe("a publish is refused with 400", () => {
  const event = { name: "x", channel: "a", data: "" };
  const many = Array.from({ length: 101 }, (_, n) => `c${n}`);
  for (const [what, body] of [
    ["that is no JSON", "{"],
    ["that is empty", ""],
    ["that is an array", []],
    ["that is null", null],
    ["without a name", { ...event, name: undefined }],
    ["with an empty name", { ...event, name: "" }],
    ["with a name that is a number", { ...event, name: 7 }],
    ["with a name of 201 characters", { ...event, name: "x".repeat(201) }],
    ["with a name of the protocol", { ...event, name: "pusher:error" }],
    ["with an internal name", { ...event, name: "pusher_internal:member_added" }],
    ["without data", { ...event, data: undefined }],
    ["without a channel", { ...event, channel: undefined }],
    ["with channels that is text", { ...event, channels: "a" }],
    ["with no channels", { ...event, channels: [] }],
    ["with 101 channels", { ...event, channels: many }],
    ["with a channel of 201 characters", { ...event, channel: "x".repeat(201) }],
    ["with a channel that has a space", { ...event, channel: "a b" }],
    ["with a channel that has a letter of another alphabet", { ...event, channels: ["ä"] }],
    ["with a channel of the server", { ...event, channel: "#other" }],
    ["with a channel that is a number", { ...event, channels: [7] }],
    ["with a channel of nobody", { ...event, channel: "#server-to-user-" }],
    ["with a socket_id that is none", { ...event, socket_id: "12" }],
    ["with a socket_id that is a number", { ...event, socket_id: 1.2 }],
    ["with a socket_id on two lines", { ...event, socket_id: "1.2\n3" }],
    ["with an unknown info", { ...event, info: "colour" }],
    ["with info that does not apply", { ...event, info: "user_count" }],
    ["with info that is a list", { ...event, info: ["user_count"] }],
    ["with a key __proto__", '{"name":"x","channel":"a","data":"","__proto__":{"info":"1"}}'],
    ["with data of 50,000 levels", `{"name":"x","channel":"a","data":${deep(50_000)}}`],
    [
      "with 50,000 levels beside the data",
      `{"name":"x","channel":"a","data":"","y":${deep(50_000)},"info":1}`,
    ],
  ] as const) {
    test(what, async (t) => {
      const pipit = await startPipit(t);
      const socket = await joined(pipit, "a");
      const { status, json, headers } = await post(pipit, body);
      assert.equal(status, 400);
      assert.equal(headers["content-type"], "application/json");
      const { error, code } = json as { error: string; code: number };
      assert.equal(code, 400);
      assert.ok(error.length > 10 && error.length < 400, error);
      assert.deepEqual(await eventsUntilMarker(pipit, socket, "a"), []);
    });
  }

  for (const [what, body] of [
    ["of 11 events", { batch: Array.from({ length: 11 }, () => event) }],
    ["that is no array", { batch: event }],
    ["without batch", {}],
    ["with an event that is text", { batch: ["x"] }],
    [
      "with an event for several channels",
      { batch: [{ ...event, channel: undefined, channels: ["a"] }] },
    ],
    ["of 50,000 levels", `{"batch":${deep(50_000)}}`],
  ] as const) {
    test(`as a batch ${what}`, async (t) => {
      const pipit = await startPipit(t);
      assert.equal((await post(pipit, body, "/batch_events")).status, 400);
    });
  }

  test("with bytes that are no UTF-8", async (t) => {
    const pipit = await startPipit(t);
    const body = Buffer.from('{"name":"x","channel":"a","data":"\xff"}', "latin1");
    assert.equal((await post(pipit, body)).status, 400);
  });
});

test("data over max_event_payload_in_kb is refused with 413, in bytes of UTF-8; exactly the limit passes", async (t) => {
  const pipit = await startPipit(t, { max_event_payload_in_kb: 10 });
  const statuses: number[] = [];
  for (const data of [
    "x".repeat(10_240),
    "x".repeat(10_241),
    "€".repeat(3_414),
    ["x".repeat(10_237)],
  ]) {
    const event = { name: "x", channel: "a", data };
    statuses.push((await post(pipit, event)).status);
    statuses.push((await post(pipit, { batch: [event] }, "/batch_events")).status);
  }
  assert.deepEqual(statuses, [200, 200, 413, 413, 413, 413, 413, 413]);
});

test("limits are the app's own", async (t) => {
  const pipit = await startPipit(t, {
    max_event_channels_at_once: 2,
    max_event_name_length: 5,
    max_event_batch_size: 1,
    max_channel_name_length: 4,
  });
  const event = { name: "x", channel: "a", data: "" };
  assert.equal((await post(pipit, { ...event, channels: ["a", "b", "c"] })).status, 400);
  assert.equal((await post(pipit, { ...event, name: "123456" })).status, 400);
  assert.equal((await post(pipit, { ...event, channel: "12345" })).status, 400);
  assert.equal((await post(pipit, { batch: [event, event] }, "/batch_events")).status, 400);
  assert.equal(
    (await post(pipit, { name: "12345", channels: ["1234", "a"], data: "" })).status,
    200,
  );
});

test("over max_backend_events_per_second a publish gets 429 with the time to wait, one point a channel", async (t) => {
  let nowMs = Date.now();
  const pipit = await startPipit(t, { max_backend_events_per_second: 5 }, {}, { now: () => nowMs });
  const socket = await joined(pipit, "a");
  const send = (channels: readonly string[]): Promise<HttpReply> =>
    post(pipit, { name: "x", channels, data: "" });
  assert.equal((await send(["a", "b", "c"])).status, 200);
  const refused = await send(["a", "b", "c"]);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers["x-ratelimit-limit"], "5");
  assert.equal(refused.headers["x-ratelimit-remaining"], "2");
  assert.equal(refused.headers["retry-after"], "1");
  nowMs += 1_000;
  assert.equal((await send(["a", "b", "c"])).status, 200);
  nowMs += 1_000;
  assert.equal((await eventsUntilMarker(pipit, socket, "a")).length, 2);
});

function deep(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}
