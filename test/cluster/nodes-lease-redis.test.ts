/** Redis hangs for longer than a node's lease: nobody is taken for dead for what happened to all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeAt, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { createAudience, toldOf } from "./nodes-audience.ts";

/** A lease, and more than a heartbeat. */
const AWAY_MS = 17_000;
const HALL = "presence-hall";

test("when Redis comes back after all leases have run out, only what has changed is told", async (t) => {
  const receiver = await startReceiver(t, APP);
  const app = { enable_subscription_count: true, webhooks: [{ url: receiver.url }] };
  const cluster = await startNodes(t, 2, { app });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const audience = createAudience();
  await audience.join(a, "ann", [HALL, "room-of-both", "room-of-a"]);
  const bob = await audience.join(a, "bob", [HALL, "room-of-bob"]);
  await audience.join(b, "ann", [HALL]);
  await audience.join(b, "cid", [HALL, "room-of-both", "room-of-b"]);
  const dan = await audience.join(b, "dan", [HALL, "room-of-b"]);
  await audience.agrees([a, b]);

  cluster.redis.suspend();
  const suspendedMs = performance.now();
  bob.leave();
  await until("the leases are over", () => performance.now() - suspendedMs > AWAY_MS, 20_000);
  dan.leave();
  cluster.redis.resume();
  await audience.agrees([a, b]);
  const eve = await audience.join(b, "eve", [HALL, "room-of-a"]);
  await audience.agrees([a, b]);
  eve.leave();
  const after = {
    [HALL]: "occupied",
    [`${HALL} ann`]: "added",
    [`${HALL} bob`]: "added removed",
    [`${HALL} cid`]: "added",
    [`${HALL} dan`]: "added removed",
    [`${HALL} eve`]: "added removed",
    "room-of-a": "occupied",
    "room-of-b": "occupied",
    "room-of-bob": "occupied vacated",
    "room-of-both": "occupied",
  };
  // Eve left last of all, so whatever else was to be told has been.
  await until("the last leave is told", () => toldOf(receiver)[`${HALL} eve`] === "added removed");
  await until("all leaves are told", () => toldOf(receiver)["room-of-bob"] === "occupied vacated");
  assert.deepEqual(toldOf(receiver), after);

  audience.everybodyLeaves();
  const isOver = (told: string): boolean => /(vacated|removed)$/.test(told);
  await until("everything is over", () => Object.values(toldOf(receiver)).every(isOver));
  await audience.agrees([a, b]);
});
