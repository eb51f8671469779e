/** Pipit's way: the channel state of a node writes events into the outbox, and its dispatcher delivers them. */
import { createRedisChannelState } from "../../src/channel-state/redis-channel-state.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections } from "../../src/redis/connections.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import type { Answer, Target } from "../../src/webhooks/target.ts";
import { createWebhooks } from "../../src/webhooks/webhooks.ts";
import { until } from "../../test/support/until.ts";
import { app, appRegistry, endpoint, SETTINGS } from "../../test/webhooks/fixtures.ts";
import {
  APP,
  type Consumer,
  channelOf,
  KEY,
  SIGNING_KEY,
  type WebhookServer,
  type WebhookSide,
} from "./webhook-side.ts";

const TAKEN: Answer = { kind: "answered", status: 200, retryAfter: undefined };

/** Counts what is sent to it and answers 200 at once: connections are no part of what is measured. */
function createCountingTarget(): Target & { readonly counts: { posts: number; events: number } } {
  const counts = { posts: 0, events: 0 };
  return {
    counts,
    async send({ headers }) {
      counts.posts += 1;
      counts.events += headers["x-pipit-event-ids"]?.split(",").length ?? 0;
      return TAKEN;
    },
    forget() {},
    async close() {},
  };
}

export async function openPipitSide(
  server: WebhookServer,
  keyPrefix: string,
  consumer: Consumer,
): Promise<WebhookSide> {
  const nodeName = "bench";
  const redis = createRedisConnections({ url: server.url, keyPrefix }, SILENT_LOG, {
    nodeId: nodeName,
  });
  const state = createRedisChannelState({
    redis,
    nodeName,
    announce: {
      memberAdded() {},
      memberRemoved() {},
      subscriptionCount() {},
      userOnline() {},
      userOffline() {},
    },
    now: Date.now,
    random: Math.random,
    log: SILENT_LOG,
  });
  const outbox = createRedisOutbox({
    redis,
    keys: redis.keys,
    owner: nodeName,
    sweep: state.sweep,
    now: Date.now,
    bounds: {
      maxQueuedEvents: 1_000_000,
      maxDeadLetters: 100_000,
      maxDeadLetterAgeMs: 604_800_000,
    },
  });
  const target = createCountingTarget();
  const webhookKey = { key: KEY, signingKey: SIGNING_KEY };
  const webhooks = createWebhooks({
    apps: appRegistry(app(APP, { webhookKey, webhooks: [endpoint("hook")], batchWebhooks: true })),
    outbox,
    settings: SETTINGS,
    now: Date.now,
    random: Math.random,
    log: SILENT_LOG,
    version: "0.0.0",
    target,
  });
  await redis.connect();
  await state.start();
  if (consumer === "one") await webhooks.start();
  return {
    name: "Pipit",
    add(number) {
      state.setSubscriptions(APP, channelOf(number), 1, false);
    },
    writeOnly(number) {
      state.setSubscriptions(APP, channelOf(number), 2, false);
    },
    async added() {
      await until("every channel is written", () => state.health().backlog === 0);
    },
    delivered: () => target.counts.events,
    posts: () => target.counts.posts,
    async close() {
      await webhooks.close(0);
      await state.close();
      await redis.close();
    },
  };
}
