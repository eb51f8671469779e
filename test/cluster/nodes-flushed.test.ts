/** Redis is flushed while users come on nodes that have not noticed, and while another node starts. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REDIS_STATE_DEFAULTS } from "../../src/channel-state/redis-state-context.ts";
import { sendSubscribe, subscribe } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { nodeAt, startNodes } from "../support/nodes.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { toldOf } from "./nodes-audience.ts";

const ROOMS = Array.from({ length: 20 }, (_, n) => `room-${n}`);
const HALLS = Array.from({ length: 20 }, (_, n) => `presence-hall-${n}`);
const { restoreMs } = REDIS_STATE_DEFAULTS;

async function channelsOf(node: Pipit): Promise<readonly string[] | undefined> {
  const { status, json } = await sendSigned(node.port, { method: "GET", path: "/channels" });
  if (status === 503) return undefined;
  assert.equal(status, 200);
  return Object.keys((json as { channels: object }).channels).toSorted();
}

describe("nodes whose Redis has lost everything", { concurrency: true }, () => {
  for (const [how, lose] of [
    ["is flushed", (redis) => redis.call("FLUSHALL")],
    ["is started again empty", (redis) => redis.restart()],
  ] as const satisfies readonly [string, (redis: RedisServer) => Promise<unknown>][]) {
    test(`when Redis ${how} nobody is told of who was there, and no node answers with too little`, async (t) => {
      const receiver = await startReceiver(t, APP);
      const app = { webhooks: [{ url: receiver.url }] };
      const cluster = await startNodes(t, 2, { app });
      const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
      const [there, elsewhere] = [await a.raw(), await b.raw()];
      for (const room of ROOMS) await subscribe(there, room);
      for (const hall of HALLS) await subscribe(there, hall, { user_id: "ann" });
      await until("all is told", () => Object.keys(toldOf(receiver)).length === 60);

      await lose(cluster.redis);
      const lostMs = performance.now();
      const come = [...ROOMS, ...HALLS, "presence-new"];
      for (const name of come) {
        const user = name.startsWith("presence-") ? { user_id: "ann" } : undefined;
        await sendSubscribe(elsewhere, name, user);
      }
      const answers = () =>
        elsewhere.frames.filter(({ event }) => event === "pusher_internal:subscription_succeeded");
      await until("everybody has joined", () => answers().length === come.length);
      const late = await startPipit(t, app, { redis: { url: cluster.redis.url } });
      for (const node of [late, a, b]) {
        const seen = await until("reads are answered", () => channelsOf(node), restoreMs + 15_000);
        assert.deepEqual(seen, come.toSorted(), "the first answer is the truth");
      }
      assert.ok(performance.now() - lostMs > restoreMs - 5_000);
      await until("the newcomer is told of", () => "presence-new ann" in toldOf(receiver));
      // Fails on a channel or member of whom it is told twice.
      assert.deepEqual(new Set(Object.values(toldOf(receiver))), new Set(["occupied", "added"]));
      assert.equal(Object.keys(toldOf(receiver)).length, 62);
    });
  }

  test("the first nodes of a deployment answer reads at once", async (t) => {
    const cluster = await startNodes(t, 3);
    for (const node of cluster.nodes) assert.deepEqual(await channelsOf(node), []);
  });
});
