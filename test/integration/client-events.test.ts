/** Events that clients send to each other. protocol.md §3. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { type ErrorData, errorNumber, errorsOf, subscribe } from "../support/commands.ts";
import { type Pipit, startPipit } from "../support/pipit.ts";
import type { Frame, RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const CHANNEL = "private-room";

/** Two sockets in one channel. */
async function pair(
  pipit: Pipit,
  channel = CHANNEL,
  members: readonly [unknown?, unknown?] = [],
): Promise<[sender: RawSocket, receiver: RawSocket]> {
  const sender = await pipit.raw();
  const receiver = await pipit.raw();
  await subscribe(sender, channel, members[0]);
  await subscribe(receiver, channel, members[1]);
  return [sender, receiver];
}

function clientEventsOf(socket: RawSocket): readonly Frame[] {
  return socket.frames.filter(({ event }) => event.startsWith("client-"));
}

/** Sends a refused event and then a good one, so that "nothing arrives" is seen and not waited for. */
async function refusal(
  t: TestContext,
  app: Parameters<typeof startPipit>[1],
  message: unknown,
  channel = CHANNEL,
): Promise<ErrorData> {
  const pipit = await startPipit(t, app);
  const [sender, receiver] = await pair(pipit, channel);
  sender.send(message);
  const error = await errorNumber(sender, 0);
  await pipit.pusher.trigger(channel, "marker", "");
  await receiver.frame("the marker comes", ({ event }) => event === "marker");
  assert.deepEqual(clientEventsOf(receiver), []);
  assert.equal(sender.closed, undefined);
  return error;
}

test("a client event reaches every other subscriber and never its sender", async (t) => {
  const pipit = await startPipit(t);
  const sender = await pipit.connect();
  const others = [await pipit.connect(), await pipit.connect()];
  const channel = await sender.subscribe(CHANNEL);
  for (const other of others) await other.subscribe(CHANNEL);
  channel.trigger("client-typing", { by: "ann" });
  await pipit.pusher.trigger(CHANNEL, "marker", "");
  const expected = [{ event: "client-typing", data: { by: "ann" } }];
  for (const other of others) {
    await until("the event is there", () => other.eventsOn(CHANNEL).length > 0);
    assert.deepEqual(other.eventsOn(CHANNEL).slice(0, 1), expected);
  }
  await until("the marker is there", () => sender.eventsOn(CHANNEL).length > 0);
  assert.deepEqual(sender.eventsOn(CHANNEL), [{ event: "marker", data: "" }]);
});

test("the data of a client event arrives as a string, whatever was sent", async (t) => {
  const pipit = await startPipit(t);
  const [sender, receiver] = await pair(pipit);
  const sent = [
    { data: { a: [1, { b: null }], ü: '€ \u2028 \\ "' } },
    { data: "a string as it is" },
    { data: '{"encoded":"already"}' },
    { data: 12.5 },
    { data: null },
    { data: [] },
    { data: "" },
    {},
  ];
  const expected = [
    '{"a":[1,{"b":null}],"ü":"€ \u2028 \\\\ \\""}',
    "a string as it is",
    '{"encoded":"already"}',
    "12.5",
    "null",
    "[]",
    "",
    "{}",
  ];
  for (const fields of sent) sender.send({ event: "client-x", channel: CHANNEL, ...fields });
  await until("all are there", () => clientEventsOf(receiver).length === sent.length);
  assert.deepEqual(
    clientEventsOf(receiver),
    expected.map((data) => ({ event: "client-x", channel: CHANNEL, data })),
  );
});

test("user_id comes from the server's record on presence channels, whatever the client claims", async (t) => {
  const pipit = await startPipit(t);
  const channel = "presence-room";
  const [sender, receiver] = await pair(pipit, channel, [{ user_id: 7 }, { user_id: "bob" }]);
  sender.sendText(
    `{"event":"client-x","channel":"${channel}","data":{"n":1},"user_id":"bob","socket_id":"1.1","__proto__":{"user_id":"eve"}}`,
  );
  const frame = await receiver.frame("the event comes", ({ event }) => event === "client-x");
  assert.deepEqual(frame, { event: "client-x", channel, data: '{"n":1}', user_id: "7" });
});

test("no user_id is sent on a private channel, not even the client's own", async (t) => {
  const pipit = await startPipit(t);
  const [sender, receiver] = await pair(pipit);
  sender.send({ event: "client-x", channel: CHANNEL, data: "", user_id: "admin", extra: 1 });
  await receiver.frame("the event comes", ({ event }) => event === "client-x");
  assert.equal(receiver.texts.at(-1), `{"event":"client-x","channel":"${CHANNEL}","data":""}`);
});

describe("a client event is refused without a word to others or a close", () => {
  const event = { event: "client-x", channel: CHANNEL, data: "" };

  test("where the app has them off: 4301", async (t) => {
    const error = await refusal(t, { enable_client_messages: false }, event);
    assert.equal(error.code, 4301);
    assert.match(error.message, /enable_client_messages/);
  });

  test("with a name that does not begin client-", async (t) => {
    for (const name of ["x-client-y", "news", "Client-x"]) {
      const error = await refusal(t, {}, { ...event, event: name });
      assert.equal(error.code, null);
    }
  });

  test("with a name of the protocol", async (t) => {
    for (const name of ["pusher:fake", "pusher_internal:member_added"]) {
      const error = await refusal(t, {}, { ...event, event: name });
      assert.equal(error.code, null);
    }
  });

  test("with a name over max_event_name_length", async (t) => {
    const app = { max_event_name_length: 20 };
    const error = await refusal(t, app, { ...event, event: `client-${"x".repeat(14)}` });
    assert.equal(error.code, null);
    assert.match(error.message, /21 characters, 20 are allowed/);
  });

  test("without a channel", async (t) => {
    for (const channel of [undefined, null, 7, ["private-room"], { length: 3 }]) {
      const error = await refusal(t, {}, { ...event, channel });
      assert.equal(error.code, null);
    }
  });

  test("on a public channel, also one whose name contains a prefix", async (t) => {
    for (const channel of ["room", "cache-room", "my-private-room"]) {
      const error = await refusal(t, {}, { ...event, channel }, channel);
      assert.match(error.message, /private and presence/);
    }
  });

  test("on an encrypted channel: 4301", async (t) => {
    for (const channel of ["private-encrypted-room", "private-encrypted-cache-room"]) {
      const error = await refusal(t, {}, { ...event, channel }, channel);
      assert.equal(error.code, 4301);
    }
  });

  test("on a channel that the sender has not joined, or has left", async (t) => {
    const pipit = await startPipit(t);
    const [sender, receiver] = await pair(pipit);
    const stranger = await pipit.raw();
    stranger.send(event);
    assert.match((await errorNumber(stranger, 0)).message, /not subscribed/);
    sender.send({ event: "pusher:unsubscribe", data: { channel: CHANNEL } });
    sender.send(event);
    assert.equal((await errorNumber(sender, 0)).code, null);
    await pipit.pusher.trigger(CHANNEL, "marker", "");
    await receiver.frame("the marker comes", (frame) => frame.event === "marker");
    assert.deepEqual(clientEventsOf(receiver), []);
  });

  test("on the server's own channel of a user, also the sender's own", async (t) => {
    const error = await refusal(t, {}, { ...event, channel: "#server-to-user-ann" });
    assert.equal(error.code, null);
  });

  test("with data over max_event_payload_in_kb, counted in bytes of UTF-8", async (t) => {
    const app = { max_event_payload_in_kb: 1 };
    const error = await refusal(t, app, { ...event, data: "€".repeat(342) });
    assert.match(error.message, /1026 bytes, 1024 are allowed/);
  });
});

test("data of exactly the limit passes", async (t) => {
  const pipit = await startPipit(t, { max_event_payload_in_kb: 1 });
  const [sender, receiver] = await pair(pipit);
  sender.send({ event: "client-x", channel: CHANNEL, data: "x".repeat(1_024) });
  const frame = await receiver.frame("the event comes", ({ event }) => event === "client-x");
  assert.equal((frame.data as string).length, 1_024);
});

test("apps may let public and encrypted channels take client events", async (t) => {
  const pipit = await startPipit(t, {
    enable_client_messages_on_public_channels: true,
    enable_client_messages_on_encrypted_channels: true,
  });
  for (const channel of ["room", "private-encrypted-room"]) {
    const [sender, receiver] = await pair(pipit, channel);
    sender.send({ event: "client-x", channel, data: {} });
    await receiver.frame(`the event comes on ${channel}`, ({ event }) => event === "client-x");
  }
});

test("client events over the rate are dropped with 4301 and the connection lives on", async (t) => {
  const nowMs = Date.now();
  const app = { max_client_events_per_second: 5 };
  const pipit = await startPipit(t, app, {}, { now: () => nowMs });
  const [sender, receiver] = await pair(pipit);
  for (let n = 0; n < 30; n++) {
    sender.send({ event: "client-x", channel: CHANNEL, data: String(n) });
  }
  await sender.settled();
  const errors = errorsOf(sender);
  assert.deepEqual(
    errors.map(({ code }) => code),
    Array.from({ length: 25 }, () => 4301),
  );
  assert.equal(sender.closed, undefined);
  await pipit.pusher.trigger(CHANNEL, "marker", "");
  await receiver.frame("the marker comes", ({ event }) => event === "marker");
  assert.deepEqual(
    clientEventsOf(receiver).map(({ data }) => data),
    ["0", "1", "2", "3", "4"],
  );
});

test("with terminate_on_limit the first event over the rate closes the connection with 4301", async (t) => {
  const pipit = await startPipit(t, { max_client_events_per_second: 1, terminate_on_limit: true });
  const [sender] = await pair(pipit);
  for (let n = 0; n < 3; n++) sender.send({ event: "client-x", channel: CHANNEL, data: "" });
  assert.equal((await until("it is closed", () => sender.closed)).code, 4301);
});

test("a client event stays within its app", async (t) => {
  const other = {
    id: "43",
    key: "other-key",
    secret: "other-secret",
    enable_client_messages: true,
  };
  const pipit = await startPipit(
    t,
    { enable_client_messages_on_public_channels: true },
    { app_manager: { apps: [other] } },
  );
  const [sender, receiver] = await pair(pipit, "room");
  const elsewhere = await pipit.raw("/app/other-key?protocol=7");
  await subscribe(elsewhere, "room");
  sender.send({ event: "client-x", channel: "room", data: "" });
  await receiver.frame("the event comes", ({ event }) => event === "client-x");
  await elsewhere.settled();
  assert.deepEqual(clientEventsOf(elsewhere), []);
});
