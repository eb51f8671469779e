/** user_online and user_offline of users whose connections are on several nodes. protocol.md §7.2. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { DEFAULT_PARTITIONS, partitionOf } from "../../src/protocol/partition.ts";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import { USER_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { connectClient } from "../support/client.ts";
import { nodeAt, startNodes } from "../support/nodes.ts";
import { APP, createBackend } from "../support/pipit.ts";
import { nodeConfig, startPipitProcess } from "../support/pipit-process.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

/** Lease, one heartbeat, grace and 2 s. */
const CLEAN_WITHIN_MS = 15_000 + 5_000 + 3_000 + 2_000;

/** A node of the app whose receiver wants to know of users and of nothing else. */
function appWith(receiver: WebhookReceiver) {
  return { webhooks: [{ url: receiver.url, event_types: [...USER_EVENT_TYPES] }] };
}

async function signIn(t: TestContext, port: number, userId: string) {
  const backend = createBackend(port);
  const client = await connectClient(t, port, backend, { userId });
  client.pusher.signin();
  await client.pusher.user.signinDonePromise;
  return client;
}

/** What has been told of the user, in order. */
function told(receiver: WebhookReceiver, userId: string): readonly string[] {
  return firstArrivals(receiver)
    .filter(({ user_id }) => user_id === userId)
    .map(({ name }) => name);
}

/** A user whose state and events are kept in the same partition as those of `userId`. */
function userBeside(userId: string, word: string): string {
  const partition = (id: string) =>
    partitionOf(APP.id, USER_CHANNEL_PREFIX + id, DEFAULT_PARTITIONS);
  for (let n = 0; ; n++) if (partition(`${word}-${n}`) === partition(userId)) return `${word}-${n}`;
}

describe("users on several nodes", { concurrency: true }, () => {
  test("a user on two nodes is online once, and offline when both connections have gone", async (t) => {
    const receiver = await startReceiver(t, APP);
    const cluster = await startNodes(t, 2, { app: appWith(receiver) });
    const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
    const tabs = [await signIn(t, a.port, "ann"), await signIn(t, b.port, "ann")];
    tabs[0]?.pusher.disconnect();
    // Who leaves later, and whose leave waits in the same place: once it is told, hers would have been.
    const zoe = userBeside("ann", "zoe");
    (await signIn(t, a.port, zoe)).pusher.disconnect();
    await until("Zoe is offline", () => told(receiver, zoe).length === 2);
    assert.deepEqual(told(receiver, "ann"), ["user_online"]);

    tabs[1]?.pusher.disconnect();
    const back = await signIn(t, a.port, "ann");
    const eve = userBeside("ann", "eve");
    (await signIn(t, b.port, eve)).pusher.disconnect();
    await until("Eve is offline", () => told(receiver, eve).length === 2);
    assert.deepEqual(told(receiver, "ann"), ["user_online"], "she is back within the grace");

    back.pusher.disconnect();
    await until("Ann is offline", () => told(receiver, "ann").length === 2);
    assert.deepEqual(told(receiver, "ann"), ["user_online", "user_offline"]);
    assert.ok(receiver.deliveries.every(({ isValid }) => isValid));
  });

  test("who was on a node that is killed is offline once, who is elsewhere too is not", async (t) => {
    const receiver = await startReceiver(t, APP);
    const app = appWith(receiver);
    const cluster = await startNodes(t, 2, { app });
    const victim = await startPipitProcess(
      t,
      nodeConfig(app, { redis: { url: cluster.redis.url } }),
    );
    const { port } = nodeAt(cluster, 0);
    const lost = ["ann", userBeside("ann", "zoe")];
    for (const userId of [...lost, "bob"]) await signIn(t, victim.port, userId);
    const bob = await signIn(t, port, "bob");
    await until("all are online", () =>
      [...lost, "bob"].every((userId) => told(receiver, userId).length === 1),
    );
    victim.kill("SIGKILL");
    await until(
      "those who were there alone are offline",
      () => lost.every((userId) => told(receiver, userId).length === 2),
      CLEAN_WITHIN_MS,
    );
    bob.pusher.disconnect();
    await until("Bob is offline", () => told(receiver, "bob").length === 2);
    for (const userId of [...lost, "bob"]) {
      assert.deepEqual(told(receiver, userId), ["user_online", "user_offline"], userId);
    }
  });
});
