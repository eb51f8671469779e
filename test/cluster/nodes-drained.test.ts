/** A rolling restart: clients of a node that is stopped come back on another, and nobody is told that they left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBalancer } from "../support/balancer.ts";
import { connectClient } from "../support/client.ts";
import { nodeAt, readFrom, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver } from "../support/webhook-receiver.ts";

const CLIENTS = 30;
const HALL = "presence-hall";

test("clients of a drained node return on another without a vacated or member_removed", async (t) => {
  const receiver = await startReceiver(t, APP);
  const cluster = await startNodes(t, 2, {
    app: { webhooks: [{ url: receiver.url }] },
    config: { shutdown: { grace_s: 3 } },
  });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const balancer = await startBalancer(t, [a.port, b.port]);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const client = await connectClient(t, balancer.port, a.pusher, { userId: `user-${n}` });
      await client.subscribe(HALL);
      await client.subscribe(`private-of-${n}`);
      return client;
    }),
  );
  const ids = () => clients.map(({ pusher }) => pusher.connection.socket_id);
  const before = ids();

  const stopped = a.server.close();
  // Until the balancer has looked, clients who are sent away may be sent back, and are sent away again.
  await until("the node says that it is not ready", async () => {
    return (await fetch(a.url("/health/ready"))).status === 503;
  });
  balancer.takeOut(a.port);
  await stopped;
  for (const [n, { pusher }] of clients.entries()) {
    await until("every client is where it was", () => {
      const isBack = pusher.connection.state === "connected";
      return isBack && [HALL, `private-of-${n}`].every((name) => pusher.channel(name).subscribed);
    });
  }
  const moved = ids().filter((id, n) => id !== before[n]).length;
  assert.equal(moved, CLIENTS / 2, "only the drained node's clients had to move");
  const { channels } = (await readFrom(b, "/channels")) as { channels: object };
  assert.equal(Object.keys(channels).length, CLIENTS + 1);
  const { users } = (await readFrom(b, `/channels/${HALL}/users`)) as { users: unknown[] };
  assert.equal(users.length, CLIENTS);

  // Events of one channel come in order: had anybody been gone before, there would be more of them now.
  for (const { pusher } of clients) pusher.disconnect();
  const told = (kind: string) => firstArrivals(receiver).filter(({ name }) => name === kind);
  await until("all have left", () => told("channel_vacated").length === CLIENTS + 1);
  assert.equal(told("channel_occupied").length, CLIENTS + 1);
  assert.equal(told("member_added").length, CLIENTS);
  assert.equal(told("member_removed").length, CLIENTS);
});
