/** Redis hangs, or is started again with and without its data, under nodes that go on serving. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sendSubscribe, subscribe } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { metricOf, type Nodes, nodeAt, startNodes } from "../support/nodes.ts";
import { APP, type Pipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const ROOM = "presence-room";
const EVENT = { name: "tick", channel: ROOM, data: "{}" };

const publish = (node: Pipit) => sendSigned(node.port, { path: "/events", body: EVENT });

async function join(node: Pipit, userId: string): Promise<RawSocket> {
  const socket = await node.raw();
  await subscribe(socket, ROOM, { user_id: userId });
  return socket;
}

function heard(socket: RawSocket, event: string): number {
  return socket.frames.filter((frame) => frame.event === event).length;
}

/** The members as a socket knows them: its list, and what it was told since. Fails on a change that is none. */
function membersOf(socket: RawSocket): readonly string[] {
  const members = new Set<string>();
  for (const { event, channel, data } of socket.frames) {
    if (channel !== ROOM || !event.startsWith("pusher_internal:")) continue;
    const content = JSON.parse(data as string);
    if (event.endsWith("subscription_succeeded")) {
      for (const id of content.presence.ids) members.add(id);
    } else if (event.endsWith("member_added")) {
      assert.ok(!members.has(content.user_id), `${content.user_id} was there`);
      members.add(content.user_id);
    } else if (event.endsWith("member_removed")) {
      assert.ok(members.delete(content.user_id), `${content.user_id} was not there`);
    }
  }
  return [...members].toSorted();
}

async function readiness(node: Pipit) {
  const reply = await fetch(node.url("/health/ready"));
  const { reasons } = (await reply.json()) as { reasons: readonly string[] };
  return { status: reply.status, reasons };
}

async function untilConverged(
  { nodes }: Nodes,
  sockets: readonly RawSocket[],
  members: readonly string[],
): Promise<void> {
  for (const node of nodes) {
    await until(
      "reads are answered, and right",
      async () => {
        const reply = await sendSigned(node.port, {
          method: "GET",
          path: `/channels/${ROOM}/users`,
        });
        if (reply.status !== 200) return false;
        const { users } = reply.json as { users: { id: string }[] };
        return (
          users
            .map(({ id }) => id)
            .toSorted()
            .join() === members.join()
        );
      },
      // After a loss they are refused for 25 s.
      40_000,
    );
    await until("the node is well", async () => (await readiness(node)).reasons.length === 0);
  }
  for (const socket of sockets) {
    await until("every client's list is right", () => membersOf(socket).join() === members.join());
    assert.equal(socket.closed, undefined);
  }
  for (const node of nodes) {
    const before = sockets.map((socket) => heard(socket, "tick"));
    assert.equal((await publish(node)).status, 200);
    for (const [n, socket] of sockets.entries()) {
      await until("events arrive again", () => heard(socket, "tick") === (before[n] ?? 0) + 1);
    }
  }
}

/** By event id: a POST that Redis was too late to settle comes again, which is what receivers are told to expect. */
function told(receiver: WebhookReceiver): readonly string[] {
  return firstArrivals(receiver)
    .filter(({ channel }) => channel === ROOM)
    .map(({ name, user_id = "" }) => `${name} ${user_id}`.trim());
}

describe("nodes whose Redis goes away", { concurrency: true }, () => {
  test("while Redis hangs the node serves what it can, refuses the rest and forgets nothing", async (t) => {
    const receiver = await startReceiver(t, APP);
    const cluster = await startNodes(t, 2, { app: { webhooks: [{ url: receiver.url }] } });
    const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
    const [ann, bob] = [await join(a, "ann"), await join(a, "bob")];
    const cid = await join(b, "cid");
    for (const socket of [ann, bob, cid]) {
      await until("everybody is known", () => membersOf(socket).length === 3);
    }
    cluster.redis.suspend();
    const suspendedMs = performance.now();

    ann.send({ event: "client-wave", channel: ROOM, data: {} });
    await until("a neighbour hears the client event", () => heard(bob, "client-wave") === 1);
    for (let tries = 0; tries < 2; tries++) {
      const refused = await publish(a);
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.headers["retry-after"]) >= 1);
    }
    const eve = await a.raw();
    await sendSubscribe(eve, "news");
    const dan = await a.raw();
    const askedMs = performance.now();
    await sendSubscribe(dan, ROOM, { user_id: "dan" });
    // Its time is taken when it comes: what else is looked at here takes time too.
    const refusal = dan
      .frame("the join is refused", ({ event }) => event === "pusher:subscription_error")
      .then(({ data }) => ({ data, waitedMs: performance.now() - askedMs }));
    for (const path of ["/channels", `/channels/${ROOM}`, `/channels/${ROOM}/users`]) {
      const read = await sendSigned(a.port, { method: "GET", path });
      assert.equal(read.status, 503, path);
      assert.ok(Number(read.headers["retry-after"]) >= 1);
    }
    assert.equal((await fetch(a.url("/health/live"))).status, 200);
    const { status, reasons } = await readiness(a);
    assert.equal(status, 200, "a node that runs stays ready");
    assert.match(reasons.join(), /Redis cannot be reached/);
    assert.equal(await metricOf(a, "degraded"), 1);
    assert.equal(await metricOf(a, "redis_up"), 0);
    const { data, waitedMs } = await refusal;
    assert.equal((data as { status: number }).status, 503);
    assert.ok(waitedMs < 6_000, `refused after ${waitedMs} ms`);

    bob.destroy();
    await until("10 s are over", () => performance.now() - suspendedMs > 10_000, 15_000);
    assert.equal(heard(ann, "tick") + heard(cid, "tick"), 0, "nobody heard what was refused");
    assert.deepEqual(
      eve.frames.filter(({ event }) => event !== "pusher:connection_established"),
      [],
      "who needs no list of members goes on waiting",
    );
    cluster.redis.resume();
    await eve.frame(
      "and joins by itself",
      ({ event }) => event === "pusher_internal:subscription_succeeded",
    );
    eve.destroy();
    await subscribe(dan, ROOM, { user_id: "dan" });
    await untilConverged(cluster, [ann, cid, dan], ["ann", "cid", "dan"]);
    assert.equal(await metricOf(a, "redis_up"), 1);

    for (const socket of [ann, cid, dan]) socket.destroy();
    await until(
      "the channel is vacated",
      () => told(receiver).at(-1) === "channel_vacated",
      15_000,
    );
    const events = told(receiver);
    assert.equal(events[0], "channel_occupied");
    assert.deepEqual(
      events.toSorted(),
      [
        "channel_occupied",
        "channel_vacated",
        "client_event ann",
        ...["ann", "bob", "cid", "dan"].flatMap((id) => [
          `member_added ${id}`,
          `member_removed ${id}`,
        ]),
      ].toSorted(),
    );
  });

  for (const [what, redisArgs] of [
    ["with its data", ["--appendonly", "yes", "--appendfsync", "always"]],
    ["empty", []],
  ] as const) {
    test(`Redis comes back ${what}: everybody is where they were, and no event tells otherwise`, async (t) => {
      const receiver = await startReceiver(t, APP);
      const app = { webhooks: [{ url: receiver.url }] };
      const cluster = await startNodes(t, 2, { app, redisArgs });
      const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
      const sockets = [await join(a, "ann"), await join(b, "bob"), await join(b, "ann")];
      const events = ["channel_occupied", "member_added ann", "member_added bob"];
      await until("the receiver knows", () => told(receiver).length === 3);
      await cluster.redis.restart();
      await untilConverged(cluster, sockets, ["ann", "bob"]);
      // Whoever comes now is told after everything that the restart may have told.
      const cid = await join(a, "cid");
      await until("the newcomer is told of", () => told(receiver).includes("member_added cid"));
      assert.deepEqual(told(receiver), [...events, "member_added cid"]);
      await untilConverged(cluster, [...sockets, cid], ["ann", "bob", "cid"]);
      for (const socket of [...sockets, cid]) socket.destroy();
      await until("nothing is left", async () => {
        // Of all partitions: others than the room's may have been registered in later, and refuse reads for longer.
        const { status, json } = await sendSigned(b.port, { method: "GET", path: "/channels" });
        if (status === 503) return false;
        assert.equal(status, 200);
        return Object.keys((json as { channels: object }).channels).length === 0;
      });
    });
  }

  test("connections that are cut come back, and what was missed is made up for", async (t) => {
    const cluster = await startNodes(t, 2);
    const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
    const [ann, bob] = [await join(a, "ann"), await join(b, "bob")];
    for (const type of ["pubsub", "normal"]) {
      await cluster.redis.call("CLIENT", "KILL", "TYPE", type);
      const cid = await b.raw();
      await sendSubscribe(cid, ROOM, { user_id: "cid" });
      await untilConverged(cluster, [ann, bob, cid], ["ann", "bob", "cid"]);
      await cluster.redis.call("CLIENT", "KILL", "TYPE", type);
      cid.destroy();
      await untilConverged(cluster, [ann, bob], ["ann", "bob"]);
    }
  });

  test("while Redis is full events go on, nobody joins, and all is well once there is room", async (t) => {
    const cluster = await startNodes(t, 2);
    const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
    const [ann, bob] = [await join(a, "ann"), await join(b, "bob")];
    await cluster.redis.call("CONFIG", "SET", "maxmemory", "1");
    assert.equal((await publish(a)).status, 200);
    await until("the other node's client hears it", () => heard(bob, "tick") === 1);
    const cid = await a.raw();
    await sendSubscribe(cid, ROOM, { user_id: "cid" });
    const { data } = await cid.frame(
      "the join is refused",
      ({ event }) => event === "pusher:subscription_error",
    );
    assert.equal((data as { status: number }).status, 503);
    await cluster.redis.call("CONFIG", "SET", "maxmemory", "0");
    await subscribe(cid, ROOM, { user_id: "cid" });
    await untilConverged(cluster, [ann, bob, cid], ["ann", "bob", "cid"]);
  });
});
