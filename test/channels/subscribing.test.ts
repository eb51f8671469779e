import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CHANNEL_KINDS } from "../../src/protocol/channel-name.ts";
import { type ChannelsNode, type Client, createChannelsNode } from "../support/channels-node.ts";
import { authFor, createTestApp, KEY } from "../support/test-app.ts";

const SUCCEEDED = "subscription_succeeded";

function subscribeWith(client: Client, data: object): void {
  client.send({ event: "pusher:subscribe", data });
}

/** A refused subscribe: nobody is subscribed, the socket lives, and the answer is as protocol.md §2.5 says. */
function assertRefused(
  node: ChannelsNode,
  client: Client,
  channel: string,
  expected: { type?: string; status: number; code: number | null },
): void {
  const [onChannel, error, ...more] = client.take();
  const { type, status, code } = expected;
  assert.equal(onChannel?.event, "pusher:subscription_error");
  assert.equal(onChannel.channel, channel);
  const failure = onChannel.data as { type?: string; error: string; status: number };
  assert.deepEqual({ type: failure.type, status: failure.status }, { type, status });
  assert.equal(error?.event, "pusher:error");
  assert.deepEqual(error.data, { code, message: failure.error });
  assert.deepEqual(more, []);
  assert.equal(client.socket.closed, undefined);
  assert.equal(client.connection.subscriptions?.get(channel), undefined);
  assert.equal(client.connection.isAuthorized, false);
  assert.equal(node.locals.size, 0);
  assert.equal(node.heard.size, 0);
  assert.deepEqual(node.events, []);
}

describe("subscribe", () => {
  test("a public channel takes anybody, with auth absent, null, empty or wrong", () => {
    for (const auth of [undefined, null, "", "nonsense", `${KEY}:00`]) {
      const node = createChannelsNode();
      const client = node.connect();
      subscribeWith(client, { channel: "room", auth });
      assert.deepEqual(client.socket.texts.at(-1), succeeded("room"), String(auth));
      assert.equal(client.connection.isAuthorized, false);
      assert.deepEqual(node.events, [{ name: "channel_occupied", channel: "room" }]);
      assert.deepEqual([...node.heard], ["3:room"]);
    }
  });

  test("every name that begins with private- or presence- needs its signature, cache- or not", () => {
    const prefixes = CHANNEL_KINDS.filter((kind) => kind.needsAuth).map((kind) => kind.prefix);
    const names = [
      "private-my-cache-",
      "presence-my-cache-",
      "private-cache-presence-",
      ...prefixes,
    ];
    for (const name of names.map((prefix) => `${prefix}x`)) {
      const channelData = '{"user_id":1}';
      const other = (client: Client) => `${client.connection.socketId}:${name}y`;
      for (const forged of [
        () => undefined,
        () => "",
        () => `${KEY}:${"0".repeat(64)}`,
        (client: Client) => authFor(other(client)),
        () => authFor(`9.9:${name}`),
      ]) {
        const node = createChannelsNode();
        const client = node.connect();
        const channel_data = name.startsWith("presence-") ? channelData : undefined;
        subscribeWith(client, { channel: name, auth: forged(client), channel_data });
        assertRefused(node, client, name, { type: "AuthError", status: 401, code: 4009 });
      }
      const node = createChannelsNode();
      const client = node.connect();
      client.subscribe(name, name.startsWith("presence-") ? { user_id: 1 } : undefined);
      assert.equal(client.takeNames()[0], `${SUCCEEDED} ${name}`);
      assert.equal(client.connection.isAuthorized, true);
    }
  });

  test("a private channel with channel_data is signed with it", () => {
    const node = createChannelsNode();
    const client = node.connect();
    const content = `${client.connection.socketId}:private-c`;
    const channelData = '{"anything":1}';
    const command = { channel: "private-c", channel_data: channelData };
    subscribeWith(client, { ...command, auth: authFor(content) });
    assertRefused(node, client, "private-c", { type: "AuthError", status: 401, code: 4009 });
    subscribeWith(client, { ...command, auth: authFor(`${content}:${channelData}`) });
    assert.deepEqual(client.takeNames(), [`${SUCCEEDED} private-c`]);
  });

  test("data may come as a JSON string", () => {
    const client = createChannelsNode().connect();
    client.send({ event: "pusher:subscribe", data: '{"channel":"room"}' });
    assert.deepEqual(client.takeNames(), [`${SUCCEEDED} room`]);
  });

  test("a name that is forbidden, empty or too long is refused, with status 4009", () => {
    for (const channel of ["two words", "", "#private", "a/b", "é"]) {
      const node = createChannelsNode();
      const client = node.connect();
      subscribeWith(client, { channel });
      assertRefused(node, client, channel, { status: 4009, code: null });
    }
    const node = createChannelsNode({
      app: createTestApp({ limits: { maxChannelNameLength: 9 } }),
    });
    const client = node.connect();
    subscribeWith(client, { channel: "ten-of-it." });
    assertRefused(node, client, "ten-of-it.", { type: "LimitReached", status: 4009, code: null });
    client.subscribe("nine-of-i");
    assert.deepEqual(client.takeNames(), [`${SUCCEEDED} nine-of-i`]);
  });

  test("a connection may be in so many channels and no more, and again after it left one", () => {
    const node = createChannelsNode({ settings: { maxChannelsPerConnection: 2 } });
    const client = node.connect();
    client.subscribe("a");
    client.subscribe("b");
    client.subscribe("c");
    assert.deepEqual(client.takeNames(), [
      `${SUCCEEDED} a`,
      `${SUCCEEDED} b`,
      "subscription_error c",
      "error null",
    ]);
    client.unsubscribe("a");
    client.subscribe("c");
    assert.deepEqual(client.takeNames(), [`${SUCCEEDED} c`]);
    assert.equal(node.app.traffic.refusals.get("channels_per_connection"), 1);
  });

  test("a strict app answers with pusher:error alone, as the hosted service does", () => {
    const node = createChannelsNode({ app: createTestApp({ features: { strict: true } }) });
    const client = node.connect();
    subscribeWith(client, { channel: "private-x", auth: "" });
    assert.deepEqual(client.takeNames(), ["error 4009"]);
  });

  test("a second subscribe is an error with code null and changes nothing", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.subscribe("room");
    client.take();
    client.subscribe("room");
    assert.deepEqual(client.takeNames(), ["error null"]);
    assert.deepEqual(node.state.channel("3", "room"), { subscriptions: 1, users: 0 });
    assert.equal(node.events.length, 1);
    client.unsubscribe("room");
    assert.deepEqual(node.state.channel("3", "room"), { subscriptions: 0, users: 0 });
  });

  test("a lenient app acknowledges a second subscribe, without a second event", () => {
    const features = { acknowledgeDuplicateSubscribe: true };
    const node = createChannelsNode({ app: createTestApp({ features }) });
    const client = node.connect();
    for (let i = 0; i < 2; i++) {
      client.subscribe("room");
      client.subscribe("presence-room", { user_id: 1, user_info: { n: i } });
    }
    assert.deepEqual(client.takeNames(), [
      `${SUCCEEDED} room`,
      `${SUCCEEDED} presence-room`,
      `${SUCCEEDED} room`,
      `${SUCCEEDED} presence-room`,
    ]);
    assert.equal(node.events.length, 3);
    assert.deepEqual(node.state.channel("3", "presence-room"), { subscriptions: 1, users: 1 });
  });
});

describe("unsubscribe", () => {
  test("is not answered, and what is published afterwards does not arrive", () => {
    const node = createChannelsNode();
    const [client, other] = [node.connect(), node.connect()];
    client.subscribe("room");
    other.subscribe("room");
    client.take();
    client.unsubscribe("room");
    void node.channels.publish(node.app, [
      { eventJson: '"e"', channels: ["room"], dataJson: '"d"', exceptSocketId: undefined },
    ]);
    assert.deepEqual(client.take(), []);
    assert.deepEqual(node.state.channel("3", "room"), { subscriptions: 1, users: 0 });
    assert.deepEqual([...node.heard], ["3:room"]);
  });

  test("the last one leaves nothing behind, and after the grace the channel is vacated", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.subscribe("room");
    client.unsubscribe("room");
    assert.equal(node.locals.size, 0);
    assert.equal(node.heard.size, 0);
    assert.equal(client.socket.topics.size, 0);
    node.advance(3_000);
    assert.deepEqual(node.events, [
      { name: "channel_occupied", channel: "room" },
      { name: "channel_vacated", channel: "room" },
    ]);
  });

  test("of a channel that was never joined is ignored, in a strict app an error with code null", () => {
    const client = createChannelsNode().connect();
    client.unsubscribe("room");
    assert.deepEqual(client.take(), []);
    const strict = createChannelsNode({ app: createTestApp({ features: { strict: true } }) });
    const other = strict.connect();
    other.unsubscribe("room");
    assert.deepEqual(other.takeNames(), ["error null"]);
  });

  test("a strict app takes the unsubscribe from the user's own channel without an error", () => {
    const node = createChannelsNode({ app: createTestApp({ features: { strict: true } }) });
    const client = node.connect();
    client.signIn({ id: "u1" });
    client.subscribe("#server-to-user-u1");
    client.take();
    client.unsubscribe("#server-to-user-u1");
    assert.deepEqual(client.take(), []);
  });

  test("a closed connection leaves every channel", () => {
    const node = createChannelsNode();
    const client = node.connect();
    for (const channel of ["room", "private-room", "cache-room"]) client.subscribe(channel);
    client.subscribe("presence-room", { user_id: 1 });
    client.socket.leave();
    node.channels.closed(client.connection);
    assert.equal(node.locals.size, 0);
    assert.equal(node.heard.size, 0);
    assert.deepEqual(node.state.channels("3", ""), new Map());
    node.advance(3_000);
    assert.deepEqual(node.state.sizes(), { channels: 0, users: 0, pending: 0 });
  });
});

describe("the order after a join", () => {
  test("answer, cached event, count; the webhooks tell of the channel before its count", () => {
    const node = createChannelsNode({
      app: createTestApp({ features: { subscriptionCount: true } }),
    });
    const [first, second] = [node.connect(), node.connect()];
    first.subscribe("cache-room");
    assert.deepEqual(first.takeNames(), [
      `${SUCCEEDED} cache-room`,
      "cache_miss cache-room",
      "subscription_count cache-room",
    ]);
    second.subscribe("cache-room");
    assert.deepEqual(second.takeNames(), [
      `${SUCCEEDED} cache-room`,
      "cache_miss cache-room",
      "subscription_count cache-room",
    ]);
    assert.deepEqual(first.takeNames(), ["subscription_count cache-room"]);
    second.unsubscribe("cache-room");
    assert.deepEqual(second.take(), []);
    assert.deepEqual(first.takeNames(), ["subscription_count cache-room"]);
  });

  test("the count is told on channels without members only, and only where it is enabled", () => {
    const node = createChannelsNode({
      app: createTestApp({ features: { subscriptionCount: true } }),
    });
    const client = node.connect();
    client.subscribe("presence-room", { user_id: 1 });
    assert.deepEqual(client.takeNames(), [`${SUCCEEDED} presence-room`]);
    client.subscribe("private-encrypted-room");
    assert.deepEqual(client.takeNames(), [`${SUCCEEDED} private-encrypted-room`]);
    assert.deepEqual(
      node.events.filter(({ name }) => name === "subscription_count"),
      [{ name: "subscription_count", channel: "private-encrypted-room", subscription_count: 1 }],
    );
    const off = createChannelsNode();
    off.connect().subscribe("room");
    assert.deepEqual(off.events, [{ name: "channel_occupied", channel: "room" }]);
  });
});

function succeeded(channel: string): string {
  return `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":"{}"}`;
}
