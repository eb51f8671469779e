/** What no client library would send: answered or ended, and nobody else notices. protocol.md §1.7. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorNumber, errorsOf, sendSubscribe, subscribe } from "../support/commands.ts";
import { type Pipit, startPipit } from "../support/pipit.ts";
import { maskedFrame, type RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const BINARY = 2;
const TEXT = 1;
const DEEP = 50_000;

function deep(levels: number, open = "[", close = "]"): string {
  return open.repeat(levels) + close.repeat(levels);
}

/** A server with two sockets in one channel: one misbehaves, the other must not notice. */
async function withBystander(
  ...args: Parameters<typeof startPipit>
): Promise<{ pipit: Pipit; socket: RawSocket; assertUnharmed: () => Promise<void> }> {
  const pipit = await startPipit(...args);
  const [socket, bystander] = [await pipit.raw(), await pipit.raw()];
  await subscribe(bystander, "private-room");
  await subscribe(socket, "private-room");
  return {
    pipit,
    socket,
    async assertUnharmed() {
      await pipit.pusher.trigger("private-room", "marker", "");
      await bystander.frame("the marker comes", ({ event }) => event === "marker");
      assert.equal(bystander.closed, undefined);
      const events = bystander.frames.map(({ event }) => event);
      // The count falls where the other's connection has ended.
      const others = events.filter((event) => event !== "pusher_internal:subscription_count");
      assert.deepEqual(others.slice(2), ["marker"]);
    },
  };
}

describe("a frame is answered with pusher:error, code null, and the connection lives on:", () => {
  for (const [what, text] of [
    ["no JSON", "hello"],
    ["nothing", ""],
    ["half a frame", '{"event":"pusher:subscribe","data":'],
    ["two frames in one", '{"event":"pusher:ping"}{"event":"pusher:ping"}'],
    ["JSON that is no object", "[1,2]"],
    ["null", "null"],
    ["a number", "1e999"],
    ["no event", '{"data":{}}'],
    ["an event that is no string", '{"event":{"toString":1}}'],
    ["an empty event", '{"event":""}'],
    ["an unknown event", '{"event":"hello"}'],
    ["an unknown event of the protocol", '{"event":"pusher:unknown"}'],
    [
      "an internal event",
      '{"event":"pusher_internal:subscription_succeeded","channel":"private-room"}',
    ],
    ["the name of a property of every object", '{"event":"__proto__"}'],
    ["an event name of 100,000 characters", JSON.stringify({ event: "x".repeat(100_000) })],
    ["50,000 levels around nothing", deep(DEEP)],
    ["50,000 levels in data", `{"event":"pusher:subscribe","data":${deep(DEEP)}}`],
    [
      "50,000 levels of objects",
      `{"event":"x","data":${deep(DEEP, '{"a":', "}").replace("}", "1}")}}`,
    ],
    [
      "50,000 levels in a client event",
      `{"event":"client-x","channel":"private-room","data":${deep(DEEP)}}`,
    ],
    [
      "50,000 levels in JSON within JSON",
      JSON.stringify({ event: "pusher:signin", data: deep(DEEP) }),
    ],
    ["subscribe without data", '{"event":"pusher:subscribe"}'],
    ["subscribe to a number", '{"event":"pusher:subscribe","data":{"channel":7}}'],
    [
      "subscribe with auth that is no string",
      '{"event":"pusher:subscribe","data":{"channel":"a","auth":{}}}',
    ],
    [
      "subscribe with channel_data that is no string",
      '{"event":"pusher:subscribe","data":{"channel":"a","channel_data":{}}}',
    ],
    [
      "subscribe with data of a prototype",
      '{"event":"pusher:subscribe","data":{"__proto__":{"channel":"a"}}}',
    ],
    ["unsubscribe from a number", '{"event":"pusher:unsubscribe","data":{"channel":7}}'],
    ["a duplicate subscribe", '{"event":"pusher:subscribe","data":{"channel":"private-room"}}'],
  ] as const) {
    test(what, async (t) => {
      const { socket, assertUnharmed } = await withBystander(t);
      socket.sendText(text);
      const { code, message } = await errorNumber(socket, 0);
      assert.equal(code, null);
      assert.ok(message.length > 10 && message.length < 500, message);
      await socket.settled();
      assert.equal(errorsOf(socket).length, 1);
      assert.equal(socket.closed, undefined);
      await assertUnharmed();
    });
  }

  test("a binary frame, also one that holds a command", async (t) => {
    const { socket, pipit, assertUnharmed } = await withBystander(t);
    const command = '{"event":"pusher:subscribe","data":{"channel":"binary"}}';
    for (const payload of [Buffer.from(command), Buffer.from([0, 255, 254]), Buffer.alloc(0)]) {
      socket.sendFrame(BINARY, payload);
    }
    await socket.settled();
    assert.deepEqual(
      errorsOf(socket).map(({ code }) => code),
      [null, null, null],
    );
    const channel = await pipit.pusher.get({ path: "/channels/binary" });
    assert.deepEqual(await channel.json(), { occupied: false });
    await assertUnharmed();
  });
});

describe("a channel name is refused, with its own error and the connection lives on:", () => {
  for (const name of [
    "",
    "a b",
    "ä",
    "a/b",
    "a\u0000b",
    "a\nb",
    "#reserved",
    "x".repeat(201),
    `private-${"x".repeat(200)}`,
  ]) {
    test(JSON.stringify(name.slice(0, 20)), async (t) => {
      const { socket, assertUnharmed } = await withBystander(t);
      await sendSubscribe(socket, name);
      const refused = await socket.frame(
        "it is refused",
        ({ event }) => event === "pusher:subscription_error",
      );
      assert.equal(refused.channel, name);
      await errorNumber(socket, 0);
      await socket.settled();
      assert.equal(socket.closed, undefined);
      await assertUnharmed();
    });
  }
});

test("names of every object's properties are channels like any other", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  for (const name of names) await subscribe(socket, name);
  // In whatever order the state was told of them.
  await until("all are listed", async () => {
    const listed = await pipit.pusher.get({ path: "/channels" });
    const { channels } = JSON.parse(await listed.text());
    return Object.keys(channels).toSorted().join() === names.toSorted().join();
  });
  await pipit.pusher.trigger("__proto__", "constructor", { toString: 1 });
  const frame = await socket.frame("the event comes", ({ event }) => event === "constructor");
  assert.equal(frame.channel, "__proto__");
});

test("data of a command may be a JSON string", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  socket.send({ event: "pusher:subscribe", data: JSON.stringify({ channel: "a", auth: null }) });
  await socket.frame("it is joined", ({ channel }) => channel === "a");
});

test("a frame of up to max_frame_kb passes and ends nothing", async (t) => {
  const { socket, assertUnharmed } = await withBystander(t, {}, { limits: { max_frame_kb: 64 } });
  const filler = "x".repeat(64 * 1_024 - '{"event":""}'.length);
  socket.sendText(`{"event":"${filler}"}`);
  assert.equal((await errorNumber(socket, 0)).code, null);
  await assertUnharmed();
});

test("a frame in fragments, with a PING between them, is one frame", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await socket.socketId();
  const text = Buffer.from('{"event":"pusher:subscribe","data":{"channel":"fragments"}}');
  const unfinished = (opcode: number, payload: Buffer): Buffer => {
    const frame = maskedFrame(opcode, payload);
    frame[0] = (frame[0] ?? 0) & 0x7f;
    return frame;
  };
  socket.sendBytes(unfinished(TEXT, text.subarray(0, 10)));
  socket.sendFrame(9, Buffer.from("ping"));
  socket.sendBytes(unfinished(0, text.subarray(10, 11)));
  socket.sendFrame(0, text.subarray(11));
  await socket.frame("it is joined", ({ channel }) => channel === "fragments");
});

describe("that connection alone ends at", () => {
  const text = Buffer.from('{"event":"pusher:ping"}');
  const changed = (at: number, change: (byte: number) => number): Buffer => {
    const frame = maskedFrame(TEXT, text);
    frame[at] = change(frame[at] ?? 0);
    return frame;
  };
  const claiming = (length: bigint): Buffer => {
    const header = Buffer.alloc(14);
    header[0] = 0x81;
    header[1] = 0xff;
    header.writeBigUInt64BE(length, 2);
    return header;
  };
  for (const [what, bytes] of [
    ["invalid UTF-8", maskedFrame(TEXT, Buffer.from([0x7b, 0xff, 0x7d]))],
    ["half a surrogate in UTF-8", maskedFrame(TEXT, Buffer.from([0xed, 0xa0, 0x80]))],
    ["a reserved bit", changed(0, (byte) => byte | 0x40)],
    ["a reserved opcode", changed(0, () => 0x83)],
    ["a continuation of nothing", changed(0, () => 0x80)],
    ["a PING over 125 bytes", maskedFrame(9, Buffer.alloc(126))],
    ["a PING in fragments", changed(0, () => 0x09)],
    ["a close frame of one byte", maskedFrame(8, Buffer.from([3]))],
    ["a frame over max_frame_kb", maskedFrame(TEXT, Buffer.alloc(70_000, 32))],
    ["a frame that claims exabytes", claiming(2n ** 62n)],
    ["a frame that claims more than there is", claiming(2n ** 64n - 1n)],
  ] as const) {
    test(what, async (t) => {
      const { socket, pipit, assertUnharmed } = await withBystander(
        t,
        { enable_subscription_count: true },
        { limits: { max_frame_kb: 64 } },
      );
      socket.sendBytes(bytes);
      await until("it is closed", () => socket.closed);
      await until("its subscription is gone", async () => {
        const params = { info: "subscription_count" };
        const answer = await pipit.pusher.get({ path: "/channels/private-room", params });
        const { subscription_count } = (await answer.json()) as { subscription_count: number };
        return subscription_count === 1;
      });
      await assertUnharmed();
      const again = await pipit.raw();
      await subscribe(again, "private-room");
    });
  }
});

test("commands over the rate are dropped with 4301; client events and pings are not counted", async (t) => {
  const nowMs = Date.now();
  const limits = { commands_burst: 10, commands_per_second: 1 };
  const pipit = await startPipit(t, {}, { limits }, { now: () => nowMs });
  const socket = await pipit.raw();
  await subscribe(socket, "private-room");
  for (let n = 0; n < 50; n++) {
    socket.send({ event: "pusher:ping" });
    socket.send({ event: "client-x", channel: "private-room", data: "" });
  }
  await socket.settled();
  assert.deepEqual(errorsOf(socket), []);
  for (let n = 0; n < 15; n++) {
    socket.send({ event: "pusher:subscribe", data: { channel: `room-${n}` } });
  }
  await socket.settled();
  assert.deepEqual(
    errorsOf(socket).map(({ code }) => code),
    Array.from({ length: 6 }, () => 4301),
  );
  assert.equal(socket.closed, undefined);
});

test("as many refused commands as the burst close the connection with 4301", async (t) => {
  const { socket, assertUnharmed } = await withBystander(
    t,
    {},
    { limits: { commands_burst: 10, commands_per_second: 1 } },
  );
  for (let n = 0; n < 60; n++) socket.sendText("rubbish");
  assert.equal((await until("it is closed", () => socket.closed)).code, 4301);
  await assertUnharmed();
});

for (const [what, send] of [
  ["binary frames", (socket: RawSocket) => socket.sendFrame(BINARY, Buffer.from([1, 2, 3]))],
  [
    "client events that are refused",
    (socket: RawSocket) =>
      socket.send({ event: "client-x", channel: "private-not-joined", data: "" }),
  ],
] as const) {
  test(`a flood of ${what} ends like one of commands`, async (t) => {
    const { socket, assertUnharmed } = await withBystander(
      t,
      {},
      { limits: { commands_burst: 10, commands_per_second: 1 } },
    );
    for (let n = 0; n < 60; n++) send(socket);
    assert.equal((await until("it is closed", () => socket.closed)).code, 4301);
    await assertUnharmed();
  });
}

test("commands_per_second -1 takes any number", async (t) => {
  const pipit = await startPipit(
    t,
    {},
    { limits: { commands_burst: 1, commands_per_second: -1, max_channels_per_connection: -1 } },
  );
  const socket = await pipit.raw();
  await socket.socketId();
  for (let n = 0; n < 1_500; n++) {
    socket.send({ event: "pusher:subscribe", data: { channel: `room-${n}` } });
  }
  await until("all are joined", () => socket.frames.length === 1_501);
  assert.deepEqual(errorsOf(socket), []);
});

test("a connection is in no more channels than max_channels_per_connection, and may swap", async (t) => {
  const pipit = await startPipit(t, {}, { limits: { max_channels_per_connection: 2 } });
  const socket = await pipit.raw();
  for (const channel of ["a", "b"]) await subscribe(socket, channel);
  await sendSubscribe(socket, "c");
  const refused = await socket.frame("the third is refused", ({ channel }) => channel === "c");
  assert.equal(refused.event, "pusher:subscription_error");
  assert.equal((refused.data as { type: string }).type, "LimitReached");
  socket.send({ event: "pusher:unsubscribe", data: { channel: "a" } });
  await subscribe(socket, "d");
  assert.equal(socket.closed, undefined);
});

test("what a client sends before it is admitted is not lost, and a flood of it is bounded", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  // Sent with the upgrade hardly answered: pings come first from some clients (§9 row 42).
  socket.send({ event: "pusher:ping" });
  socket.send({ event: "pusher:subscribe", data: { channel: "early" } });
  await socket.frame("it is joined", ({ channel }) => channel === "early");
  assert.equal(socket.frames[0]?.event, "pusher:connection_established");
});
