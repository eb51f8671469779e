import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Client, createChannelsNode, dataOf } from "../support/channels-node.ts";
import { authFor, createTestApp } from "../support/test-app.ts";

const ROOM = "presence-room";

/** The `presence` object of the answer to a subscribe that the client has just received. */
function presenceOf(client: Client): unknown {
  const [answer] = client.take();
  assert.equal(answer?.event, "pusher_internal:subscription_succeeded");
  return (dataOf(answer) as { presence: unknown }).presence;
}

/** The one refusal that the client has just received. */
function failureOf(client: Client): { type?: string; status: number; code: unknown } {
  const [onChannel, error, ...more] = client.take();
  assert.equal(onChannel?.event, "pusher:subscription_error", JSON.stringify(onChannel));
  assert.equal(error?.event, "pusher:error");
  assert.deepEqual(more, []);
  assert.equal(client.socket.closed, undefined);
  const { type, status } = onChannel.data as { type?: string; status: number };
  const { code } = error.data as { code: unknown };
  return { ...(type === undefined ? {} : { type }), status, code };
}

describe("a presence channel", () => {
  for (const channel of [ROOM, "presence-cache-room"]) {
    test(`${channel}: the answer lists everybody, the joiner included, and the others hear of it`, () => {
      const node = createChannelsNode();
      const [ann, ben] = [node.connect(), node.connect()];
      ann.subscribe(channel, { user_id: 1, user_info: { name: "Ann" } });
      assert.deepEqual(presenceOf(ann), {
        ids: ["1"],
        hash: { 1: { name: "Ann" } },
        count: 1,
      });
      ben.subscribe(channel, { user_id: "2" });
      assert.deepEqual(presenceOf(ben), {
        ids: ["1", "2"],
        hash: { 1: { name: "Ann" }, 2: {} },
        count: 2,
      });
      const [added, ...more] = ann.take();
      assert.deepEqual(more, []);
      assert.equal(added?.event, "pusher_internal:member_added");
      assert.deepEqual(dataOf(added), { user_id: "2", user_info: {} });
      ben.unsubscribe(channel);
      const [removed] = ann.take();
      assert.equal(removed?.event, "pusher_internal:member_removed");
      assert.deepEqual(dataOf(removed), { user_id: "2" });
      assert.deepEqual(ben.take(), []);
    });
  }

  test("the webhooks tell of the channel before its member, and of the leave in the reverse order", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.subscribe(ROOM, { user_id: 1 });
    client.socket.leave();
    node.advance(3_000);
    assert.deepEqual(node.events, [
      { name: "channel_occupied", channel: ROOM },
      { name: "member_added", channel: ROOM, user_id: "1" },
      { name: "member_removed", channel: ROOM, user_id: "1" },
      { name: "channel_vacated", channel: ROOM },
    ]);
  });

  test("a second connection of a user, number or string, is told nobody, nor is the leave of one of two", () => {
    const node = createChannelsNode();
    const [watcher, first, second] = [node.connect(), node.connect(), node.connect()];
    watcher.subscribe(ROOM, { user_id: "w" });
    first.subscribe(ROOM, { user_id: 7, user_info: { tab: 1 } });
    watcher.take();
    second.subscribe(ROOM, { user_id: "7", user_info: { tab: 2 } });
    assert.deepEqual(presenceOf(second), {
      ids: ["w", "7"],
      hash: { w: {}, 7: { tab: 1 } },
      count: 2,
    });
    assert.deepEqual(node.state.channel("3", ROOM), { subscriptions: 3, users: 2 });
    first.socket.leave();
    assert.deepEqual(watcher.take(), []);
    assert.deepEqual(second.takeNames(), []);
    second.socket.leave();
    assert.deepEqual(watcher.takeNames(), [`member_removed ${ROOM}`]);
  });

  test("a full channel refuses new users with 4100 and takes another connection of one who is there", () => {
    const limits = { maxPresenceMembersPerChannel: 2 };
    const node = createChannelsNode({ app: createTestApp({ limits }) });
    const [a, b, c, again] = [1, 2, 3, 4].map(() => node.connect());
    assert.ok(a && b && c && again);
    a.subscribe(ROOM, { user_id: "a" });
    b.subscribe(ROOM, { user_id: "b" });
    for (const client of [a, b]) client.take();
    c.subscribe(ROOM, { user_id: "c" });
    assert.deepEqual(failureOf(c), { type: "LimitReached", status: 4100, code: null });
    again.subscribe(ROOM, { user_id: "a" });
    assert.deepEqual(again.takeNames(), [`subscription_succeeded ${ROOM}`]);
    assert.deepEqual([...a.take(), ...b.take()], []);
    assert.deepEqual(node.state.channel("3", ROOM), { subscriptions: 3, users: 2 });
    assert.equal(c.connection.isAuthorized, false);
    assert.equal(c.socket.topics.size, 0);
    a.socket.leave();
    c.subscribe(ROOM, { user_id: "c" });
    assert.equal(failureOf(c).status, 4100, "the user is there with another connection");
    again.socket.leave();
    c.subscribe(ROOM, { user_id: "c" });
    assert.deepEqual(c.takeNames(), [`subscription_succeeded ${ROOM}`]);
  });

  test("channel_data that is no JSON object with a user id is refused", () => {
    for (const channelData of ["x", "[]", "null", "{}", '{"user_id":""}', '{"user_id":null}']) {
      const node = createChannelsNode();
      const client = node.connect();
      const auth = authFor(`${client.connection.socketId}:${ROOM}:${channelData}`);
      const data = { channel: ROOM, auth, channel_data: channelData };
      client.send({ event: "pusher:subscribe", data });
      assert.deepEqual(failureOf(client), { type: "AuthError", status: 401, code: null });
      assert.equal(node.locals.size, 0);
      assert.deepEqual(node.events, []);
    }
  });

  test("user_info over the limit is refused with 4301, one of exactly that size is taken", () => {
    const limits = { maxPresenceMemberBytes: 20 };
    const node = createChannelsNode({ app: createTestApp({ limits }) });
    const client = node.connect();
    client.subscribe(ROOM, { user_id: 1, user_info: "é".repeat(10) });
    assert.deepEqual(failureOf(client), { type: "LimitReached", status: 4301, code: null });
    client.subscribe(ROOM, { user_id: 1, user_info: "é".repeat(9) });
    assert.deepEqual(client.takeNames(), [`subscription_succeeded ${ROOM}`]);
  });
});

describe("a presence channel joined without channel_data", () => {
  test("takes id and info from the sign-in", () => {
    const client = createChannelsNode().connect();
    client.signIn({ id: "u1", user_info: { name: "Ann" } });
    client.take();
    client.subscribe(ROOM);
    assert.deepEqual(presenceOf(client), { ids: ["u1"], hash: { u1: { name: "Ann" } }, count: 1 });
  });

  test("is refused to a connection that has not signed in", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.subscribe(ROOM);
    assert.deepEqual(failureOf(client), { type: "AuthError", status: 401, code: 4009 });
    assert.equal(node.locals.size, 0);
  });

  test("still needs its signature", () => {
    const client = createChannelsNode().connect();
    client.signIn({ id: "u1" });
    client.take();
    client.send({ event: "pusher:subscribe", data: { channel: ROOM, auth: "" } });
    assert.deepEqual(failureOf(client), { type: "AuthError", status: 401, code: 4009 });
  });

  test("prefers channel_data where both are there", () => {
    const client = createChannelsNode().connect();
    client.signIn({ id: "u1", user_info: { name: "Ann" } });
    client.take();
    client.subscribe(ROOM, { user_id: 2 });
    assert.deepEqual(presenceOf(client), { ids: ["2"], hash: { 2: {} }, count: 1 });
  });

  test("is held to the limits of any other member", () => {
    const limits = { maxPresenceMemberBytes: 20 };
    const node = createChannelsNode({ app: createTestApp({ limits }) });
    const big = node.connect();
    big.signIn({ id: "u1", user_info: "é".repeat(10) });
    big.take();
    big.subscribe(ROOM);
    assert.deepEqual(failureOf(big), { type: "LimitReached", status: 4301, code: null });
    const long = node.connect();
    long.signIn({ id: "u".repeat(129) });
    long.take();
    long.subscribe(ROOM);
    assert.deepEqual(failureOf(long), { type: "AuthError", status: 401, code: null });
    assert.equal(node.locals.size, 0);
  });
});
