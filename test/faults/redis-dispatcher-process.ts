/** A dispatcher in a process of its own, to be stopped and killed. Arguments: url of Redis, partitions, url of the receiver. */

import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections } from "../../src/redis/connections.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { createWebhooks } from "../../src/webhooks/webhooks.ts";
import { app, appRegistry, endpoint, SETTINGS } from "../webhooks/fixtures.ts";
import { BOUNDS } from "../webhooks/redis-dispatcher.ts";

const [url = "", partitions = "", receiverUrl = ""] = process.argv.slice(2);
const redis = createRedisConnections({ url, partitions: Number(partitions) }, SILENT_LOG);
const outbox = createRedisOutbox({
  redis,
  keys: redis.keys,
  owner: "sleeper",
  sweep: async () => undefined,
  now: Date.now,
  bounds: BOUNDS,
  leaseMs: 2_500,
});
const webhooks = createWebhooks({
  apps: appRegistry(app("app", { webhooks: [endpoint("one", { url: receiverUrl })] })),
  outbox,
  settings: { ...SETTINGS, retry: { initialMs: 20, maxMs: 200, budgetMs: 600_000 } },
  now: Date.now,
  random: Math.random,
  log: SILENT_LOG,
  version: "1.2.3",
});
await redis.connect();
await webhooks.start();
