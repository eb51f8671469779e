/** One node loses Redis for longer than its lease while another does not: it is taken for dead, and comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { metricOf } from "../support/nodes.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { startRedis } from "../support/redis-server.ts";
import { startTcpRelay } from "../support/tcp-relay.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { createAudience, toldOf } from "./nodes-audience.ts";

const HALL = "presence-hall";

test("a node that is cut off from Redis is cleaned up after, and tells what it holds when it is back", async (t) => {
  const receiver = await startReceiver(t, APP);
  const closers: (() => unknown)[] = [];
  const afterNodes = { after: (close: unknown) => void closers.push(close as () => unknown) };
  const redis = await startRedis(afterNodes);
  const relay = await startTcpRelay(afterNodes, redis.port);
  const app = { enable_subscription_count: true, webhooks: [{ url: receiver.url }] };
  const a = await startPipit(t, app, { redis: { url: redis.url } });
  const b = await startPipit(t, app, { redis: { url: `redis://127.0.0.1:${relay.port}` } });
  // Hooks run in the order in which they were registered: those of the nodes come first.
  for (const close of closers) t.after(async () => void (await close()));
  const audience = createAudience();
  await audience.join(a, "ann", [HALL, "room-of-both"]);
  await audience.join(b, "ann", [HALL]);
  await audience.join(b, "cid", [HALL, "room-of-both", "room-of-cid"]);
  const bob = await audience.join(b, "bob", [HALL, "room-of-bob"]);
  await audience.agrees([a, b]);
  await until("all is told", () => Object.keys(toldOf(receiver)).length === 7);

  relay.cut();
  bob.leave();
  const dan = await audience.join(a, "dan", [HALL, "room-of-dan"]);
  dan.leave();
  const eve = await audience.join(a, "eve", [HALL]);
  await until(
    "what only the lost node held is told to have gone",
    () => {
      const told = toldOf(receiver);
      return ["room-of-cid", "room-of-bob", `${HALL} cid`, `${HALL} bob`, "room-of-dan"].every(
        (subject) => /(vacated|removed)$/.test(told[subject] ?? ""),
      );
    },
    30_000,
  );
  assert.equal(await metricOf(a, "redis_up"), 1);
  relay.mend();
  await audience.agrees([a, b]);
  eve.leave();
  await until("Cid is told of", () => toldOf(receiver)[`${HALL} cid`]?.endsWith("added"));
  await until("Eve is told of", () => toldOf(receiver)[`${HALL} eve`] === "added removed");
  assert.deepEqual(toldOf(receiver), {
    [HALL]: "occupied",
    [`${HALL} ann`]: "added",
    [`${HALL} bob`]: "added removed",
    [`${HALL} cid`]: "added removed added",
    [`${HALL} dan`]: "added removed",
    [`${HALL} eve`]: "added removed",
    "room-of-bob": "occupied vacated",
    "room-of-both": "occupied",
    "room-of-cid": "occupied vacated occupied",
    "room-of-dan": "occupied vacated",
  });
  await audience.agrees([a, b]);
  audience.everybodyLeaves();
  const isOver = (told: string): boolean => /(vacated|removed)$/.test(told);
  await until("everything is over", () => Object.values(toldOf(receiver)).every(isOver));
  await audience.agrees([a, b]);
});
