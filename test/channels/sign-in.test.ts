import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdapterUnavailableError } from "../../src/adapters/adapter.ts";
import { type Client, createChannelsNode } from "../support/channels-node.ts";
import { createDelayedAdapter } from "../support/delayed-adapter.ts";
import { createHeldCalls } from "../support/held-calls.ts";
import { authFor, createTestApp, KEY, webhooksFor } from "../support/test-app.ts";

const SUCCESS = "signin_success";

/** Signs in with this exact user_data, rightly signed. */
function signInWith(client: Client, userData: string): void {
  const auth = authFor(`${client.connection.socketId}::user::${userData}`);
  client.send({ event: "pusher:signin", data: { auth, user_data: userData } });
}

describe("sign-in", () => {
  test("echoes user_data to the byte", () => {
    for (const userData of ['{ "id" : "u1" }', '{"id":"u1","user_info":{"name":"\\u00e9\\n"}}']) {
      const client = createChannelsNode().connect();
      signInWith(client, userData);
      const success = { event: "pusher:signin_success", data: { user_data: userData } };
      assert.deepEqual(client.take(), [success]);
      assert.equal(client.connection.user?.id, "u1");
      assert.equal(client.connection.isAuthorized, true);
    }
  });

  test("hears the user's topic until the last of its connections has gone", () => {
    const node = createChannelsNode();
    const [a, b] = [node.connect(), node.connect()];
    a.signIn({ id: "u1" });
    b.signIn({ id: "u1" });
    assert.deepEqual([...node.heard], ["3:#server-to-user-u1"]);
    a.socket.leave();
    assert.equal(node.heard.size, 1);
    b.socket.leave();
    assert.equal(node.heard.size, 0);
    node.advance(3_000);
    assert.deepEqual(node.state.sizes(), { channels: 0, users: 0, pending: 0 });
  });

  test("is told to webhooks only where an enabled one lists user_online or user_offline", () => {
    const [listed] = webhooksFor("user_offline");
    assert.ok(listed);
    for (const [webhooks, types] of [
      [[listed], ["user_online", "user_offline"]],
      [[{ ...listed, enabled: false }], []],
      [webhooksFor("channel_occupied", "member_added"), []],
    ] as const) {
      const node = createChannelsNode({ app: createTestApp({ settings: { webhooks } }) });
      const client = node.connect();
      client.signIn({ id: "u1" });
      client.socket.leave();
      node.advance(3_000);
      assert.deepEqual(
        node.events.map(({ name }) => name),
        types,
      );
    }
  });

  test("is an error where the app has not enabled it, and the socket stays", () => {
    const app = createTestApp({ features: { userAuthentication: false } });
    const client = createChannelsNode({ app }).connect();
    client.signIn({ id: "u1" });
    assert.deepEqual(client.takeNames(), ["error null"]);
    assert.equal(client.connection.user, undefined);
    assert.equal(client.socket.closed, undefined);
  });

  test("with a wrong signature is error 4009, without a close", () => {
    const node = createChannelsNode();
    const client = node.connect();
    const { socketId } = client.connection;
    const userData = '{"id":"u1"}';
    for (const auth of [
      "",
      "nonsense",
      `${KEY}:${"0".repeat(64)}`,
      authFor(`9.9::user::${userData}`),
      authFor(`${socketId}::user::{"id":"u2"}`),
      authFor(`${socketId}:${userData}`),
      authFor(`${socketId}::user::${userData}`).replace(":", "::user::"),
    ]) {
      client.send({ event: "pusher:signin", data: { auth, user_data: userData } });
      assert.deepEqual(client.takeNames(), ["error 4009"], auth);
    }
    assert.equal(client.connection.user, undefined);
    assert.equal(client.connection.isAuthorized, false);
    assert.equal(client.socket.closed, undefined);
    assert.equal(node.heard.size, 0);
    assert.equal(node.state.sizes().users, 0);
  });

  test("with an id that is no string says so, since pusher-js would discard it", () => {
    const client = createChannelsNode().connect();
    client.signIn({ id: 10 });
    const [error] = client.take();
    assert.match(JSON.stringify(error?.data), /"code":4009.*id, a non-empty string/);
  });

  test("as another user fails and keeps the first, as the same user succeeds again", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.signIn({ id: "u1", user_info: { v: 1 } });
    client.take();
    client.signIn({ id: "u2" });
    assert.deepEqual(client.takeNames(), ["error 4009"]);
    assert.equal(client.connection.user?.id, "u1");
    client.signIn({ id: "u1", user_info: { v: 2 } });
    assert.deepEqual(client.takeNames(), [SUCCESS]);
    assert.equal(client.connection.user?.userInfoJson, '{"v":2}');
    client.socket.leave();
    assert.equal(node.connections.byUserTopic("3:#server-to-user-u1"), undefined);
    assert.equal(node.heard.size, 0);
  });

  test("that fails ends the connection where connections must be authorised", () => {
    const app = createTestApp({ features: { authorizedConnections: true } });
    const client = createChannelsNode({ app }).connect();
    client.send({ event: "pusher:signin", data: { auth: `${KEY}:0`, user_data: '{"id":"u1"}' } });
    assert.equal(client.socket.closed?.code, 4009);
  });
});

describe("the user's own channel", () => {
  const CHANNEL = "#server-to-user-u1";

  test("is answered to a connection signed in as exactly that user, and to no other", () => {
    const node = createChannelsNode();
    const [own, other, anonymous] = [node.connect(), node.connect(), node.connect()];
    own.signIn({ id: "u1" });
    other.signIn({ id: "u" });
    for (const client of [own, other]) client.take();
    own.subscribe(CHANNEL);
    assert.deepEqual(own.take(), [
      { event: "pusher_internal:subscription_succeeded", channel: CHANNEL, data: "{}" },
    ]);
    for (const client of [other, anonymous]) {
      client.subscribe(CHANNEL);
      assert.deepEqual(client.takeNames(), [`subscription_error ${CHANNEL}`, "error 4009"]);
    }
    anonymous.subscribe("#server-to-user-");
    assert.deepEqual(anonymous.takeNames(), ["subscription_error #server-to-user-", "error 4009"]);
  });

  test("is in no webhook and in no count", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.signIn({ id: "u1" });
    client.subscribe(CHANNEL);
    assert.deepEqual(node.events, []);
    assert.deepEqual(node.state.channels("3", ""), new Map());
    assert.equal(node.locals.size, 0);
  });
});

describe("a sign-in that has to wait for its topic", () => {
  function openLate() {
    const calls = createHeldCalls();
    const wrapAdapter = (adapter: Parameters<typeof createDelayedAdapter>[0]) =>
      createDelayedAdapter(adapter, calls);
    const app = createTestApp({ features: { watchlistEvents: true } });
    const node = createChannelsNode({ app, wrapAdapter });
    return { calls, node, client: node.connect() };
  }

  test("is answered when no message to the user can be missed any more", async () => {
    const { calls, client } = openLate();
    client.signIn({ id: "u1" });
    assert.deepEqual(client.take(), []);
    await calls.apply("subscribe");
    assert.deepEqual(client.take(), []);
    await calls.answer("subscribe");
    assert.deepEqual(client.takeNames(), [SUCCESS]);
  });

  test("and is overtaken by the close leaves nothing behind", async () => {
    const { calls, node, client } = openLate();
    client.signIn({ id: "u1", watchlist: ["u2"] });
    client.socket.leave();
    await calls.releaseAll();
    assert.deepEqual(client.take(), []);
    assert.equal(node.heard.size, 0);
    assert.equal(node.connections.byUserTopic("3:#server-to-user-u1"), undefined);
    node.advance(3_000);
    assert.equal(node.state.sizes().users, 0);
  });

  test("and cannot be heard leaves nothing behind: the client may sign in again, as anybody", async () => {
    const { calls, node, client } = openLate();
    client.signIn({ id: "u1" });
    await calls.reject("subscribe", new AdapterUnavailableError("gone"));
    assert.deepEqual(client.takeNames(), ["error null"]);
    assert.equal(client.connection.user, undefined);
    assert.equal(client.connection.isAuthorized, false);
    assert.equal(node.connections.byUserTopic("3:#server-to-user-u1"), undefined);
    client.signIn({ id: "u2" });
    await calls.releaseAll();
    assert.deepEqual(client.takeNames(), [SUCCESS]);
    assert.deepEqual([...node.heard], ["3:#server-to-user-u2"]);
    node.advance(3_000);
    assert.equal(node.state.sizes().users, 1);
  });

  test("twice, of which the first cannot be heard, is refused twice and leaves nothing behind", async () => {
    const { calls, node, client } = openLate();
    client.signIn({ id: "u1" });
    client.signIn({ id: "u1" });
    await calls.reject("subscribe", new AdapterUnavailableError("gone"));
    await calls.releaseAll();
    assert.deepEqual(client.takeNames(), ["error null", "error null"]);
    assert.equal(client.connection.user, undefined);
    assert.equal(node.heard.size, 0);
    assert.equal(client.socket.topics.size, 0);
  });

  test("and fails, keeps what another connection of the user hears", async () => {
    const { calls, node, client } = openLate();
    const other = node.connect();
    other.signIn({ id: "u1" });
    await calls.releaseAll();
    client.signIn({ id: "u1" });
    await calls.reject("subscribe", new AdapterUnavailableError("gone"));
    await calls.releaseAll();
    assert.deepEqual([...node.heard], ["3:#server-to-user-u1"]);
    assert.equal(node.connections.byUserTopic("3:#server-to-user-u1")?.size, 1);
  });
});
