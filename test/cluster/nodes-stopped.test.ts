/** A node is stopped while its Redis hangs: it ends in the time that it was given all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { APP } from "../support/pipit.ts";
import { nodeConfig, startPipitProcess } from "../support/pipit-process.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const GRACE_S = 1;
/** What a stop may take beyond the grace: two times half a second for what has not been written, and to end. */
const BEYOND_MS = 1_500;

for (const [when, silentForMs] of [
  ["has just begun to hang", 0],
  ["has hung for a while", 3_000],
] as const) {
  test(`a node whose Redis ${when} stops within its grace and a little`, async (t) => {
    const redis = await startRedis(t);
    const receiver = await startReceiver(t, APP);
    const app = { webhooks: [{ url: receiver.url }], max_connections: 100 };
    const config = { redis: { url: redis.url }, shutdown: { grace_s: GRACE_S } };
    const node = await startPipitProcess(t, nodeConfig(app, config));
    const socket = await openRawSocket(t, node.port, `/app/${APP.key}?protocol=7`);
    await subscribe(socket, "presence-room", { user_id: "ann" });
    await until("webhooks flow", () => receiver.events().length === 2);

    redis.suspend();
    const suspendedMs = performance.now();
    await until("it hangs", () => performance.now() - suspendedMs >= silentForMs);
    const askedMs = performance.now();
    node.kill("SIGTERM");
    assert.equal(await node.exitCode(), 0, node.output());
    const tookMs = performance.now() - askedMs;
    assert.ok(tookMs < GRACE_S * 1_000 + BEYOND_MS, `${tookMs} ms`);
    t.diagnostic(`stopped after ${Math.round(tookMs)} ms`);
  });
}
