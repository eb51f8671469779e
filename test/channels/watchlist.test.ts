import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChannelState } from "../../src/channel-state/channel-state.ts";
import { type Client, createChannelsNode, dataOf } from "../support/channels-node.ts";
import { createDelayedChannelState } from "../support/delayed-channel-state.ts";
import { createHeldCalls } from "../support/held-calls.ts";
import { createTestApp } from "../support/test-app.ts";

function openNode(options: Parameters<typeof createChannelsNode>[0] = {}) {
  const app = createTestApp({ features: { watchlistEvents: true } });
  return createChannelsNode({ app, ...options });
}

/** What the watchlist frames since the last look say, one text each: `online a,b offline c`. */
function watched(client: Client): readonly string[] {
  return client
    .take()
    .filter(({ event }) => event === "pusher_internal:watchlist_events")
    .map((frame) => {
      assert.equal(frame.channel, undefined);
      const { events } = dataOf(frame) as { events: { name: string; user_ids: string[] }[] };
      for (const { user_ids: ids } of events) assert.ok(ids.length > 0);
      return events.map(({ name, user_ids: ids }) => `${name} ${ids.join(",")}`).join(" ");
    });
}

describe("a watchlist", () => {
  test("is answered after signin_success with who is online and who is not, in one frame", () => {
    const node = openNode();
    const online = node.connect();
    online.signIn({ id: "a" });
    const client = node.connect();
    client.signIn({ id: "me", watchlist: ["a", "b", "me", "c"] });
    const names = client.socket.frames.map(({ event }) => event);
    assert.deepEqual(names.slice(1), ["pusher:signin_success", "pusher_internal:watchlist_events"]);
    assert.deepEqual(watched(client), ["online a,me offline b,c"]);
  });

  test("leaves out an empty group, and is not answered when it is empty", () => {
    const node = openNode();
    const client = node.connect();
    client.signIn({ id: "me", watchlist: ["me"] });
    assert.deepEqual(watched(client), ["online me"]);
    const other = node.connect();
    other.signIn({ id: "other", watchlist: ["b"] });
    assert.deepEqual(watched(other), ["offline b"]);
    const none = node.connect();
    none.signIn({ id: "none", watchlist: [] });
    assert.deepEqual(none.takeNames(), ["signin_success"]);
  });

  test("tells of the first connection of a user and, after the grace, of the loss of the last", () => {
    const node = openNode();
    const [client, first, second] = [node.connect(), node.connect(), node.connect()];
    client.signIn({ id: "me", watchlist: ["a"] });
    assert.deepEqual(watched(client), ["offline a"]);
    first.signIn({ id: "a" });
    assert.deepEqual(watched(client), ["online a"]);
    second.signIn({ id: "a" });
    first.socket.leave();
    node.advance(3_000);
    assert.deepEqual(watched(client), []);
    second.socket.leave();
    node.advance(2_999);
    assert.deepEqual(watched(client), []);
    node.advance(1);
    assert.deepEqual(watched(client), ["offline a"]);
  });

  test("does not tell of a user who returns within the grace", () => {
    const node = openNode();
    const [client, before] = [node.connect(), node.connect()];
    before.signIn({ id: "a" });
    client.signIn({ id: "me", watchlist: ["a"] });
    before.socket.leave();
    node.advance(1_000);
    node.connect().signIn({ id: "a" });
    node.advance(10_000);
    assert.deepEqual(watched(client), ["online a"]);
  });

  test("of more than 100 users is cut, which error 4302 tells while the sign-in succeeds", () => {
    const node = openNode();
    const ids = Array.from({ length: 101 }, (_, n) => `u${n}`);
    const client = node.connect();
    client.signIn({ id: "me", watchlist: ids });
    const names = client.socket.frames.slice(1).map(({ event }) => event);
    assert.deepEqual(names, [
      "pusher:signin_success",
      "pusher:error",
      "pusher_internal:watchlist_events",
    ]);
    const { data } = client.socket.frames[2] ?? {};
    assert.equal((data as { code: number }).code, 4302);
    assert.deepEqual(watched(client), [`offline ${ids.slice(0, 100).join(",")}`]);
    assert.equal(client.socket.closed, undefined);
    const exact = node.connect();
    exact.signIn({ id: "other", watchlist: ids.slice(0, 100) });
    assert.equal(exact.takeNames().includes("error 4302"), false);
  });

  test("is replaced by that of the next sign-in", () => {
    const node = openNode();
    const client = node.connect();
    client.signIn({ id: "me", watchlist: ["a", "b"] });
    client.signIn({ id: "me", watchlist: ["b", "c"] });
    client.take();
    for (const id of ["a", "b", "c"]) node.connect().signIn({ id });
    assert.deepEqual(watched(client), ["online b", "online c"]);
  });

  test("means nothing where the app has not enabled it", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.signIn({ id: "me", watchlist: Array.from({ length: 101 }, (_, n) => `u${n}`) });
    assert.deepEqual(client.takeNames(), ["signin_success"]);
    node.connect().signIn({ id: "u1" });
    assert.deepEqual(client.take(), []);
  });

  test("leaves nothing behind when its connection has gone", () => {
    const node = openNode();
    const client = node.connect();
    client.signIn({ id: "me", watchlist: ["a", "b"] });
    client.socket.leave();
    node.advance(3_000);
    assert.equal(node.state.sizes().users, 0);
  });
});

describe("a watchlist that is answered late", () => {
  function openLate() {
    const calls = createHeldCalls();
    const wrapState = (state: ChannelState) => createDelayedChannelState(state, calls);
    const node = openNode({ wrapState });
    return { calls, node, client: node.connect() };
  }

  test("comes before any change of it, so that the last word on each user is true", async () => {
    const { calls, node, client } = openLate();
    client.signIn({ id: "me", watchlist: ["a"] });
    await calls.release("users");
    await calls.apply("users");
    node.connect().signIn({ id: "a" });
    await calls.apply("users");
    assert.deepEqual(watched(client), []);
    await calls.releaseAll();
    assert.deepEqual(watched(client), ["offline a", "online a"]);
  });

  test("is not told of a list that the next sign-in has replaced", async () => {
    const { calls, client } = openLate();
    client.signIn({ id: "me", watchlist: ["a"] });
    client.signIn({ id: "me", watchlist: ["b"] });
    await calls.releaseAll();
    assert.deepEqual(watched(client), ["offline b"]);
  });

  test("leaves nothing behind when the connection has gone meanwhile", async () => {
    const { calls, node, client } = openLate();
    client.signIn({ id: "me", watchlist: ["a", "b"] });
    client.socket.leave();
    await calls.releaseAll();
    assert.deepEqual(watched(client), []);
    node.advance(3_000);
    assert.equal(node.state.sizes().users, 0);
  });

  test("and cannot be read is an error with code null, and leaves nothing behind", async () => {
    const { calls, node, client } = openLate();
    client.signIn({ id: "me", watchlist: ["a"] });
    await calls.release("users");
    client.take();
    await calls.reject("users", new Error("gone"));
    assert.deepEqual(client.takeNames(), ["error null"]);
    assert.equal(client.socket.closed, undefined);
    client.socket.leave();
    await calls.releaseAll();
    node.advance(3_000);
    assert.equal(node.state.sizes().users, 0);
  });
});
