/** What can overtake a subscribe whose drivers answer late, and that nothing is left behind. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdapterUnavailableError } from "../../src/adapters/adapter.ts";
import { CacheUnavailableError } from "../../src/cache/cache-store.ts";
import { StateUnavailableError } from "../../src/channel-state/channel-state.ts";
import {
  type ChannelsNode,
  type Client,
  createChannelsNode,
  dataOf,
} from "../support/channels-node.ts";
import { createDelayedAdapter } from "../support/delayed-adapter.ts";
import { createDelayedCacheStore } from "../support/delayed-cache-store.ts";
import { createDelayedChannelState } from "../support/delayed-channel-state.ts";
import { createHeldCalls, type HeldCalls } from "../support/held-calls.ts";
import { createTestApp, type TestAppChanges } from "../support/test-app.ts";
import { until } from "../support/until.ts";

type Slow = "adapter" | "state" | "cache";

function openSlow(
  slow: Slow,
  changes: TestAppChanges = {},
): { calls: HeldCalls; node: ChannelsNode; connect(): Client } {
  const calls = createHeldCalls();
  const node = createChannelsNode({
    app: createTestApp(changes),
    ...(slow === "adapter" && { wrapAdapter: (inner) => createDelayedAdapter(inner, calls) }),
    ...(slow === "state" && { wrapState: (inner) => createDelayedChannelState(inner, calls) }),
    ...(slow === "cache" && { wrapCache: (inner) => createDelayedCacheStore(inner, calls) }),
  });
  return { calls, node, connect: () => node.connect() };
}

function publish(node: ChannelsNode, channel: string, data = "d"): void {
  const event = { eventJson: '"e"', channels: [channel], dataJson: JSON.stringify(data) };
  void node.channels.publish(node.app, [{ ...event, exceptSocketId: undefined }]);
}

/** Nobody is in any channel, and no trace says that anybody was. */
async function assertNothingLeft(calls: HeldCalls, node: ChannelsNode): Promise<void> {
  await calls.releaseAll();
  assert.equal(node.locals.size, 0);
  assert.equal(node.heard.size, 0);
  assert.deepEqual(node.state.channels("3", ""), new Map());
  node.advance(5_000);
  assert.deepEqual(node.state.sizes(), { channels: 0, users: 0, pending: 0 });
  for (const connection of node.connections.all()) {
    assert.equal(connection.subscriptions?.size ?? 0, 0);
  }
}

test("a join whose two steps take long together is refused in time, and the late answer leaves nothing", async () => {
  const calls = createHeldCalls();
  const node = createChannelsNode({
    wrapAdapter: (inner) => createDelayedAdapter(inner, calls),
    wrapState: (inner) => createDelayedChannelState(inner, calls),
  });
  const client = node.connect();
  client.subscribe("presence-room", { user_id: 1 });
  node.nowMs += 4_990;
  await calls.release("subscribe 3:presence-room");
  assert.deepEqual(client.take(), []);
  // The state answers when it has long been refused.
  const frames = await until("it is refused", () => {
    const taken = client.takeNames();
    return taken.length > 0 && taken;
  });
  assert.equal(frames[0], "subscription_error presence-room");
  await assertNothingLeft(calls, node);
  assert.deepEqual(client.take(), []);
});

const ROOMS = [
  ["room", undefined],
  ["presence-room", { user_id: 1 }],
] as const;

for (const slow of ["adapter", "state"] as const) {
  for (const [room, member] of slow === "adapter" ? ROOMS : ROOMS.slice(1)) {
    const key = slow === "adapter" ? `subscribe 3:${room}` : "channel 3:";
    describe(`a subscribe to ${room} with a slow ${slow}`, () => {
      test("is answered when the driver has answered, once", async () => {
        const { calls, node, connect } = openSlow(slow);
        const client = connect();
        client.subscribe(room, member);
        assert.deepEqual(client.take(), []);
        await calls.apply(key);
        assert.deepEqual(client.take(), []);
        assert.equal(client.socket.topics.size, 0);
        await calls.releaseAll();
        assert.deepEqual(client.takeNames(), [`subscription_succeeded ${room}`]);
        const users = member === undefined ? 0 : 1;
        assert.deepEqual(node.state.channel("3", room), { subscriptions: 1, users });
        client.unsubscribe(room);
        await assertNothingLeft(calls, node);
      });

      for (const [when, steps] of [
        ["before it takes effect", 0],
        ["before it is answered", 1],
      ] as const) {
        test(`that is overtaken by an unsubscribe ${when} leaves nothing behind`, async () => {
          const { calls, node, connect } = openSlow(slow);
          const client = connect();
          client.subscribe(room, member);
          for (let i = 0; i < steps; i++) await calls.apply(key);
          client.unsubscribe(room);
          await assertNothingLeft(calls, node);
          assert.deepEqual(client.take(), []);
          assert.equal(client.socket.topics.size, 0);
          assert.equal(client.connection.isAuthorized, false);
        });

        test(`that is overtaken by the close ${when} leaves nothing behind`, async () => {
          const { calls, node, connect } = openSlow(slow);
          const client = connect();
          client.subscribe(room, member);
          for (let i = 0; i < steps; i++) await calls.apply(key);
          client.socket.leave();
          await assertNothingLeft(calls, node);
          assert.deepEqual(client.take(), []);
        });

        test(`that is left and tried again ${when} is answered once and counts once`, async () => {
          const { calls, node, connect } = openSlow(slow);
          const client = connect();
          client.subscribe(room, member);
          for (let i = 0; i < steps; i++) await calls.apply(key);
          client.unsubscribe(room);
          client.subscribe(room, member);
          await calls.releaseAll();
          assert.deepEqual(client.takeNames(), [`subscription_succeeded ${room}`]);
          assert.equal(node.heard.has(`3:${room}`), true);
          const users = member === undefined ? 0 : 1;
          assert.deepEqual(node.state.channel("3", room), { subscriptions: 1, users });
          publish(node, room);
          await calls.releaseAll();
          assert.deepEqual(client.takeNames(), [`e ${room}`]);
          client.unsubscribe(room);
          await assertNothingLeft(calls, node);
        });
      }

      test("that is sent twice is answered once, and refused once with code null", async () => {
        const { calls, node, connect } = openSlow(slow);
        const client = connect();
        client.subscribe(room, member);
        client.subscribe(room, member);
        assert.deepEqual(client.takeNames(), ["error null"]);
        await calls.releaseAll();
        assert.deepEqual(client.takeNames(), [`subscription_succeeded ${room}`]);
        client.unsubscribe(room);
        await assertNothingLeft(calls, node);
      });

      test("takes no client event before it is answered, and no event of others either", async () => {
        const features = { clientMessagesOnPublicChannels: true };
        const { calls, node, connect } = openSlow(slow, { features });
        const client = connect();
        client.subscribe(room, member);
        client.send({ event: "client-x", channel: room, data: 1 });
        publish(node, room);
        assert.deepEqual(client.takeNames(), ["error null"]);
        await calls.releaseAll();
        assert.equal(client.takeNames()[0], `subscription_succeeded ${room}`);
      });

      test("that the driver cannot do is refused with 503, leaves nothing behind, and may be tried again", async () => {
        const { calls, node, connect } = openSlow(slow);
        const client = connect();
        client.subscribe(room, member);
        if (slow === "adapter") {
          await calls.reject(key, new AdapterUnavailableError("gone"));
        } else {
          await calls.release(key);
          await calls.reject(key, new StateUnavailableError("gone"));
        }
        const [onChannel, error, ...more] = client.take();
        assert.equal(onChannel?.event, "pusher:subscription_error");
        assert.equal(onChannel.channel, room);
        const { type, status } = onChannel.data as { type: string; status: number };
        assert.deepEqual([type, status], ["ServerError", 503]);
        assert.ok(error?.event === "pusher:error");
        assert.equal((error.data as { code: unknown }).code, null);
        assert.deepEqual(more, []);
        assert.equal(client.socket.closed, undefined);
        await assertNothingLeft(calls, node);
        client.subscribe(room, member);
        await calls.releaseAll();
        assert.deepEqual(client.takeNames(), [`subscription_succeeded ${room}`]);
      });

      test("that fails after it was left is not answered at all", async () => {
        const { calls, node, connect } = openSlow(slow);
        const client = connect();
        client.subscribe(room, member);
        if (slow === "state") await calls.release(key);
        client.unsubscribe(room);
        await calls.reject(key, new Error("gone"));
        assert.deepEqual(client.take(), []);
        await assertNothingLeft(calls, node);
      });
    });
  }
}

describe("two connections in a channel that is still being heard", () => {
  test("are each answered by an answer of their own", async () => {
    const { calls, node, connect } = openSlow("adapter");
    const [a, b] = [connect(), connect()];
    a.subscribe("room");
    b.subscribe("room");
    await calls.reject("subscribe", new AdapterUnavailableError("gone"));
    assert.deepEqual(a.takeNames(), ["subscription_error room", "error null"]);
    assert.deepEqual(b.take(), []);
    await calls.releaseAll();
    assert.deepEqual(b.takeNames(), ["subscription_succeeded room"]);
    assert.deepEqual(node.state.channel("3", "room"), { subscriptions: 1, users: 0 });
    b.socket.leave();
    await assertNothingLeft(calls, node);
  });

  test("may leave one by one: the topic stays heard for the other", async () => {
    const { calls, node, connect } = openSlow("adapter");
    const [a, b] = [connect(), connect()];
    a.subscribe("room");
    b.subscribe("room");
    a.unsubscribe("room");
    await calls.releaseAll();
    assert.deepEqual(b.takeNames(), ["subscription_succeeded room"]);
    assert.deepEqual([...node.heard], ["3:room"]);
    b.unsubscribe("room");
    await assertNothingLeft(calls, node);
  });
});

describe("presence with a slow state", () => {
  const ROOM = "presence-room";
  const KEY = "channel 3:";

  test("a user whose first connection leaves while the second is being recorded stays a member", async () => {
    const { calls, node, connect } = openSlow("state");
    const [watcher, first, second] = [connect(), connect(), connect()];
    watcher.subscribe(ROOM, { user_id: "w" });
    await calls.releaseAll();
    watcher.take();
    first.subscribe(ROOM, { user_id: 1 });
    second.subscribe(ROOM, { user_id: 1 });
    first.socket.leave();
    await calls.releaseAll();
    assert.deepEqual(watcher.takeNames(), [`member_added ${ROOM}`]);
    assert.deepEqual(second.takeNames(), [`subscription_succeeded ${ROOM}`]);
    assert.deepEqual(node.state.channel("3", ROOM), { subscriptions: 2, users: 2 });
    second.socket.leave();
    await calls.releaseAll();
    assert.deepEqual(watcher.takeNames(), [`member_removed ${ROOM}`]);
    watcher.socket.leave();
    await assertNothingLeft(calls, node);
  });

  test("a joiner is told once of a member who comes before its own answer: in the list", async () => {
    const { calls, connect } = openSlow("state");
    const [a, b] = [connect(), connect()];
    a.subscribe(ROOM, { user_id: "a" });
    b.subscribe(ROOM, { user_id: "b" });
    while (calls.waiting.length > 0) await calls.apply(KEY);
    await calls.releaseAll();
    const [answer, ...more] = a.take();
    assert.deepEqual((dataOf(answer) as { presence: { ids: unknown } }).presence.ids, ["a", "b"]);
    assert.deepEqual(more, []);
    assert.deepEqual(b.takeNames(), [`subscription_succeeded ${ROOM}`]);
  });

  test("a full channel refuses late, and not at all who has left meanwhile", async () => {
    const limits = { maxPresenceMembersPerChannel: 1 };
    const { calls, node, connect } = openSlow("state", { limits });
    const [member, refused, gone] = [connect(), connect(), connect()];
    member.subscribe(ROOM, { user_id: "a" });
    refused.subscribe(ROOM, { user_id: "b" });
    gone.subscribe(ROOM, { user_id: "c" });
    gone.unsubscribe(ROOM);
    await calls.releaseAll();
    assert.deepEqual(member.takeNames(), [`subscription_succeeded ${ROOM}`]);
    assert.deepEqual(refused.takeNames(), [`subscription_error ${ROOM}`, "error null"]);
    assert.deepEqual(gone.take(), []);
    assert.deepEqual(node.state.channel("3", ROOM), { subscriptions: 1, users: 1 });
    assert.deepEqual(
      node.events.filter(({ name }) => name === "member_added").map((event) => event.user_id),
      ["a"],
    );
    member.socket.leave();
    await assertNothingLeft(calls, node);
  });

  test("two connections of one user who is refused leave nothing behind", async () => {
    const limits = { maxPresenceMembersPerChannel: 1 };
    const { calls, node, connect } = openSlow("state", { limits });
    const [member, first, second] = [connect(), connect(), connect()];
    member.subscribe(ROOM, { user_id: "a" });
    await calls.releaseAll();
    first.subscribe(ROOM, { user_id: "b" });
    second.subscribe(ROOM, { user_id: "b" });
    await calls.releaseAll();
    for (const client of [first, second]) {
      assert.deepEqual(client.takeNames(), [`subscription_error ${ROOM}`, "error null"]);
    }
    member.socket.leave();
    await assertNothingLeft(calls, node);
  });
});

describe("an event that excludes a socket whose subscribe is not answered yet", () => {
  test("reaches the others", async () => {
    const { calls, node, connect } = openSlow("state");
    const [joined, joining] = [connect(), connect()];
    joined.subscribe("presence-room", { user_id: 1 });
    await calls.releaseAll();
    joined.take();
    joining.subscribe("presence-room", { user_id: 2 });
    const event = { eventJson: '"e"', channels: ["presence-room"], dataJson: '"d"' };
    const exceptSocketId = joining.connection.socketId;
    void node.channels.publish(node.app, [{ ...event, exceptSocketId }]);
    assert.deepEqual(joined.takeNames(), ["e presence-room"]);
    assert.deepEqual(joining.take(), []);
  });
});

describe("a cached event that comes late", () => {
  const ROOM = "cache-room";

  test("is sent also when a client event came meanwhile: those are never cached", async () => {
    const { calls, node, connect } = openSlow("cache");
    const channel = "private-cache-room";
    publish(node, channel);
    await calls.releaseAll();
    const [other, client] = [connect(), connect()];
    other.subscribe(channel);
    await calls.releaseAll();
    client.subscribe(channel);
    other.send({ event: "client-x", channel, data: 1 });
    await calls.releaseAll();
    assert.deepEqual(client.takeNames(), [
      `subscription_succeeded ${channel}`,
      `client-x ${channel}`,
      `e ${channel}`,
    ]);
  });

  test("is dropped when a newer one has been delivered meanwhile", async () => {
    const { calls, node, connect } = openSlow("cache");
    publish(node, ROOM, "old");
    await calls.releaseAll();
    const client = connect();
    client.subscribe(ROOM);
    assert.deepEqual(client.takeNames(), [`subscription_succeeded ${ROOM}`]);
    await calls.apply("cache");
    publish(node, ROOM, "new");
    await calls.apply("cache");
    await calls.answer("cache", "last");
    await calls.releaseAll();
    assert.deepEqual(
      client.take().map(({ data }) => data),
      ["new"],
    );
  });

  test("a miss is dropped too when an event has been delivered meanwhile", async () => {
    const { calls, node, connect } = openSlow("cache");
    const client = connect();
    client.subscribe(ROOM);
    await calls.apply("cache");
    publish(node, ROOM, "new");
    await calls.apply("cache");
    await calls.answer("cache", "last");
    assert.deepEqual(client.takeNames(), [`subscription_succeeded ${ROOM}`, `e ${ROOM}`]);
    await calls.releaseAll();
    assert.deepEqual(client.take(), []);
  });

  test("is not sent to who has left, nor twice to who has come back", async () => {
    const { calls, node, connect } = openSlow("cache");
    publish(node, ROOM);
    await calls.releaseAll();
    const client = connect();
    client.subscribe(ROOM);
    client.unsubscribe(ROOM);
    client.subscribe(ROOM);
    client.take();
    await calls.releaseAll();
    assert.deepEqual(client.takeNames(), [`e ${ROOM}`]);
    client.unsubscribe(ROOM);
    client.take();
    assert.equal(node.locals.size, 0);
  });

  test("a cache that cannot be read is counted, and the subscription stands", async () => {
    const { calls, node, connect } = openSlow("cache");
    const client = connect();
    client.subscribe(ROOM);
    await calls.reject("cache", new CacheUnavailableError("gone"));
    assert.deepEqual(client.takeNames(), [`subscription_succeeded ${ROOM}`]);
    assert.equal(node.channels.counters.cacheFailures, 1);
    assert.deepEqual(node.state.channel("3", ROOM), { subscriptions: 1, users: 0 });
  });
});

describe("a client event that other nodes cannot get", () => {
  test("is counted, and neither refused nor thrown", async () => {
    const { calls, node, connect } = openSlow("adapter");
    const client = connect();
    client.subscribe("private-room");
    await calls.releaseAll();
    client.take();
    client.send({ event: "client-x", channel: "private-room", data: 1 });
    await calls.reject("publish", new AdapterUnavailableError("gone"));
    assert.deepEqual(client.take(), []);
    assert.equal(node.channels.counters.relayFailures, 1);
  });
});

describe("a subscription that waits while the cluster is away", () => {
  const AWAY_MS = 5_000;

  test("without members is asked for again, until it succeeds, and tells its client nothing else", async () => {
    const { calls, node, connect } = openSlow("adapter");
    const client = connect();
    client.subscribe("room");
    for (let tries = 0; tries < 3; tries += 1) {
      node.nowMs += AWAY_MS;
      await calls.reject("subscribe", new AdapterUnavailableError("gone"));
      assert.deepEqual(client.take(), []);
    }
    await calls.releaseAll();
    assert.deepEqual(client.takeNames(), ["subscription_succeeded room"]);
    assert.deepEqual(node.state.channel("3", "room"), { subscriptions: 1, users: 0 });
    client.unsubscribe("room");
    await assertNothingLeft(calls, node);
  });

  test("is not asked for again once it was left", async () => {
    const { calls, node, connect } = openSlow("adapter");
    const client = connect();
    client.subscribe("room");
    node.nowMs += AWAY_MS;
    client.unsubscribe("room");
    await calls.reject("subscribe", new AdapterUnavailableError("gone"));
    assert.deepEqual(client.take(), []);
    await assertNothingLeft(calls, node);
  });

  test("of a presence channel is refused: its list of members cannot be known", async () => {
    const { calls, node, connect } = openSlow("adapter");
    const client = connect();
    client.subscribe("presence-room", { user_id: "1" });
    node.nowMs += AWAY_MS;
    await calls.reject("subscribe", new AdapterUnavailableError("gone"));
    assert.deepEqual(client.takeNames(), ["subscription_error presence-room", "error null"]);
    await assertNothingLeft(calls, node);
  });
});
