import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ChannelsNode, type Client, createChannelsNode } from "../support/channels-node.ts";
import { createTestApp, type TestAppChanges, webhooksFor } from "../support/test-app.ts";

interface Pair {
  readonly node: ChannelsNode;
  readonly sender: Client;
  readonly receiver: Client;
}

/** Two subscribers of the channel. */
function openPair(channel: string, changes: TestAppChanges = {}): Pair {
  const settings = { webhooks: webhooksFor("client_event"), ...changes.settings };
  const node = createChannelsNode({ app: createTestApp({ ...changes, settings }) });
  const [sender, receiver] = [node.connect(), node.connect()];
  sender.subscribe(channel, memberFor(channel, 1));
  receiver.subscribe(channel, memberFor(channel, 2));
  sender.take();
  receiver.take();
  return { node, sender, receiver };
}

function memberFor(channel: string, userId: number): unknown {
  return channel.startsWith("presence-") ? { user_id: userId } : undefined;
}

/** The code of the refusal of one client event, which has reached nobody. */
function refused({ node, sender, receiver }: Pair, frame: object): number | null {
  sender.send(frame);
  const [error, ...more] = sender.take();
  assert.ok(error?.event === "pusher:error", JSON.stringify(error));
  assert.deepEqual(more, []);
  assert.deepEqual(receiver.take(), []);
  assert.deepEqual(clientEvents(node), []);
  assert.equal(sender.socket.closed, undefined);
  return (error.data as { code: number | null }).code;
}

function clientEvents(node: ChannelsNode): readonly unknown[] {
  return node.events.filter(({ name }) => name === "client_event");
}

describe("a client event", () => {
  for (const channel of ["private-c", "private-cache-c", "presence-c", "presence-cache-c"]) {
    test(`reaches the other subscribers of ${channel} and the webhooks, never its sender or the cache`, () => {
      const { node, sender, receiver } = openPair(channel);
      const before = node.events.length;
      sender.send({ event: "client-x", channel, data: { isTyping: true } });
      const user = channel.startsWith("presence-") ? { user_id: "1" } : {};
      const data = '{"isTyping":true}';
      assert.deepEqual(receiver.take(), [{ event: "client-x", channel, data, ...user }]);
      assert.deepEqual(sender.take(), []);
      assert.deepEqual(node.events.slice(before), [
        {
          name: "client_event",
          channel,
          event: "client-x",
          data,
          socket_id: sender.connection.socketId,
          ...user,
        },
      ]);
      assert.equal(node.cache.sizes().entries, 0);
      assert.equal(node.app.traffic.clientEvents, 1);
    });
  }

  test("carries its data as a string, whatever the client sent", () => {
    const { sender, receiver } = openPair("private-c");
    for (const [data, text] of [
      ["plain", "plain"],
      ["", ""],
      ['{"a":1}', '{"a":1}'],
      [{ a: "é" }, '{"a":"é"}'],
      [[1, null], "[1,null]"],
      [5, "5"],
      [false, "false"],
      [null, "null"],
      [undefined, "{}"],
    ] as const) {
      sender.send({ event: "client-x", channel: "private-c", data });
      assert.equal(receiver.take()[0]?.data, text, JSON.stringify(data));
    }
  });

  test("takes user_id from the server's record and drops every other key of the client's frame", () => {
    const lie = { event: "client-x", data: "d", user_id: "admin", extra: 1 };
    const presence = openPair("presence-c");
    presence.sender.send({ ...lie, channel: "presence-c" });
    assert.deepEqual(presence.receiver.take(), [
      { event: "client-x", channel: "presence-c", data: "d", user_id: "1" },
    ]);
    const isPrivate = openPair("private-c");
    isPrivate.sender.send({ ...lie, channel: "private-c" });
    assert.deepEqual(isPrivate.receiver.take(), [
      { event: "client-x", channel: "private-c", data: "d" },
    ]);
  });

  test("is recorded only where a webhook could take it", () => {
    const { node, sender, receiver } = openPair("private-c", {
      settings: { webhooks: webhooksFor("channel_occupied") },
    });
    sender.send({ event: "client-x", channel: "private-c", data: 1 });
    assert.equal(receiver.take().length, 1);
    assert.deepEqual(clientEvents(node), []);
  });
});

describe("a client event is refused, and its connection lives on,", () => {
  test("where the app has not enabled them: 4301", () => {
    const pair = openPair("private-c", { features: { clientMessages: false } });
    assert.equal(refused(pair, { event: "client-x", channel: "private-c" }), 4301);
  });

  test("when its name is too long", () => {
    const pair = openPair("private-c");
    const name = (length: number) => `client-${"x".repeat(length - "client-".length)}`;
    pair.sender.send({ event: name(200), channel: "private-c" });
    assert.equal(pair.receiver.take().length, 1);
    const tooLong = openPair("private-c");
    assert.equal(refused(tooLong, { event: name(201), channel: "private-c" }), null);
  });

  test("on a channel that is public, reserved or no string", () => {
    for (const channel of ["room", "cache-room", "my-private-room", "privateroom"]) {
      const pair = openPair(channel);
      assert.equal(refused(pair, { event: "client-x", channel }), null, channel);
    }
    const pair = openPair("private-c");
    pair.sender.signIn({ id: "u1" });
    pair.sender.subscribe("#server-to-user-u1");
    pair.sender.take();
    for (const channel of ["#server-to-user-u1", "", undefined, 1, null, ["private-c"]]) {
      const code = refused(pair, { event: "client-x", channel, data: 1 });
      assert.equal(code, null, JSON.stringify(channel));
    }
  });

  test("on an encrypted channel, where receivers could not decrypt it: 4301", () => {
    for (const channel of ["private-encrypted-c", "private-encrypted-cache-c"]) {
      assert.equal(refused(openPair(channel), { event: "client-x", channel }), 4301);
    }
  });

  test("on a channel that its sender is not subscribed to, or has left", () => {
    const pair = openPair("private-c");
    assert.equal(refused(pair, { event: "client-x", channel: "private-other" }), null);
    pair.sender.unsubscribe("private-c");
    assert.equal(refused(pair, { event: "client-x", channel: "private-c" }), null);
  });

  test("when its data is too large, in bytes of UTF-8 of the string that is sent on", () => {
    const pair = openPair("private-c", { limits: { maxEventPayloadBytes: 10 } });
    const send = (data: unknown) => ({ event: "client-x", channel: "private-c", data });
    assert.equal(refused(pair, send("x".repeat(11))), null);
    assert.equal(refused(pair, send("é".repeat(6))), null);
    assert.equal(refused(pair, send({ a: "12345" })), null);
    for (const data of ["x".repeat(10), "é".repeat(5), { a: 1234 }]) {
      pair.sender.send(send(data));
      assert.equal(pair.receiver.take().length, 1, JSON.stringify(data));
    }
  });

  test("when its data is nested so deeply that writing it again would overflow the stack", () => {
    const pair = openPair("private-c");
    const frame = (levels: number) =>
      `{"event":"client-x","channel":"private-c","data":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    const { node, sender, receiver } = pair;
    for (const levels of [65, 50_000]) {
      node.channels.receive(sender.connection, frame(levels));
      assert.deepEqual(sender.takeNames(), ["error null"]);
    }
    node.channels.receive(sender.connection, frame(64));
    assert.deepEqual(receiver.takeNames(), ["client-x private-c"]);
  });

  test("over the rate of its connection: 4301, while others go on", () => {
    const { node, sender, receiver } = openPair("private-c", {
      limits: { maxClientEventsPerSecond: 10 },
    });
    const event = { event: "client-x", channel: "private-c", data: 1 };
    for (let i = 0; i < 12; i++) sender.send(event);
    assert.equal(receiver.take().length, 10);
    assert.deepEqual(sender.takeNames(), ["error 4301", "error 4301"]);
    receiver.send(event);
    assert.equal(sender.take().length, 1);
    node.nowMs += 100;
    sender.send(event);
    sender.send(event);
    assert.equal(receiver.take().length, 1);
    assert.equal(node.app.traffic.refusals.get("client_event_rate"), 3);
    assert.equal(sender.socket.closed, undefined);
  });
});

describe("client events: what an app may choose", () => {
  test("a rate of none lets everything through", () => {
    const { sender, receiver } = openPair("private-c");
    for (let i = 0; i < 1_000; i++) {
      sender.send({ event: "client-x", channel: "private-c", data: i });
    }
    assert.equal(receiver.take().length, 1_000);
  });

  test("terminate_on_limit closes with 4301 instead of dropping", () => {
    const { sender } = openPair("private-c", {
      limits: { maxClientEventsPerSecond: 1, terminateOnClientEventLimit: true },
    });
    sender.send({ event: "client-x", channel: "private-c" });
    assert.deepEqual(sender.take(), []);
    sender.send({ event: "client-x", channel: "private-c" });
    assert.equal(sender.socket.closed?.code, 4301);
  });

  test("client events on public channels, for subscribers only", () => {
    const features = { clientMessagesOnPublicChannels: true };
    for (const channel of ["room", "cache-room"]) {
      const { node, sender, receiver } = openPair(channel, { features });
      sender.send({ event: "client-x", channel, data: 1 });
      assert.deepEqual(receiver.take(), [{ event: "client-x", channel, data: "1" }]);
      assert.equal(clientEvents(node).length, 1);
    }
    assert.equal(
      refused(openPair("room", { features }), { event: "client-x", channel: "a" }),
      null,
    );
    const pair = openPair("room", { features });
    pair.sender.signIn({ id: "u1" });
    pair.sender.take();
    assert.equal(refused(pair, { event: "client-x", channel: "#server-to-user-u1" }), null);
    assert.equal(pair.node.app.traffic.refusals.get("client_event_channel"), 1);
  });

  test("client events on encrypted channels, for hosted parity", () => {
    const features = { clientMessagesOnEncryptedChannels: true };
    const { sender, receiver } = openPair("private-encrypted-c", { features });
    sender.send({ event: "client-x", channel: "private-encrypted-c", data: 1 });
    assert.equal(receiver.take().length, 1);
  });
});
